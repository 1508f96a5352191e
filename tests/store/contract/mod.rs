//! One law, one test; every store is held to all of them.
//!
//! A law is given an empty place. Laws use nothing but the trait, and no revision but those it
//! answered.

mod committing;
mod leasing;
mod reading;
mod watching;

pub use committing::increment;

/// Makes a test of every law, for one kind of place.
macro_rules! contract {
    ($place:ty) => {
        contract! { $place,
            reading: a_key_comes_back_as_it_was_put;
            reading: a_missing_key_is_none;
            reading: an_empty_value_is_a_value;
            reading: a_listing_holds_its_prefix_in_the_order_of_bytes;
            reading: pages_of_any_size_make_the_whole_listing;
            reading: a_page_begins_after_any_text;
            reading: a_page_of_none_has_one;
            reading: large_values_come_back_whole;
            reading: five_thousand_keys_come_in_pages;
            reading: reopening_keeps_everything;
            committing: created_stays_and_modified_moves;
            committing: each_compare_holds_or_conflicts;
            committing: a_conflict_writes_nothing;
            committing: compares_see_what_was_before_the_writes;
            committing: a_key_named_twice_is_refused;
            committing: an_empty_key_is_refused;
            committing: a_transaction_up_to_the_limits_is_taken;
            committing: a_transaction_beyond_the_limits_is_refused;
            committing: every_transaction_is_one_revision;
            committing: what_changes_nothing_makes_no_revision;
            committing: concurrent_commits_have_revisions_of_their_own;
            committing: concurrent_counters_lose_no_increment;
            watching: a_watch_shows_exactly_the_changes_in_order;
            watching: a_watch_shows_the_past_and_then_what_comes;
            watching: a_watch_shows_nothing_up_to_its_beginning;
            watching: a_revision_is_shown_whole;
            watching: a_watch_may_begin_in_the_future;
            watching: two_watches_see_the_same;
            watching: a_slow_watch_misses_nothing;
            watching: giving_up_waiting_loses_nothing;
            watching: forgotten_history_is_compacted;
            leasing: revoking_takes_all_keys_in_one_revision;
            leasing: a_lease_ends_by_itself;
            leasing: a_kept_lease_lives;
            leasing: a_lost_lease_changes_nothing;
            leasing: a_lease_that_never_was_is_lost;
            leasing: a_conflict_comes_before_a_lost_lease;
            leasing: a_put_without_lease_detaches;
            leasing: a_put_under_another_lease_moves;
            leasing: a_new_key_does_not_inherit_a_lease;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn random_operations_answer_as_the_model_does() {
            if !<$place as crate::store::place::Place>::can_be() {
                return;
            }
            for seed in (1..=6).chain([stokehold_tests::random::Random::seed()]) {
                let place = <$place as crate::store::place::Place>::new().await;
                crate::store::model::holds(&place, seed).await;
            }
        }
    };
    ($place:ty, $($part:ident: $law:ident;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $law() {
                if !<$place as crate::store::place::Place>::can_be() {
                    return;
                }
                let place = <$place as crate::store::place::Place>::new().await;
                super::$part::$law(&place).await;
            }
        )*
    };
}

mod embedded {
    contract!(crate::store::place::Folder);
}

mod etcd {
    contract!(crate::store::place::Served);
}
