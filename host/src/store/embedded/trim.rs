//! The bounds of the history: what is beyond them is dropped, a few rows with every commit.

use rusqlite::Result;

use super::ledger::{Counters, Ledger, ROW_BYTES, revision_of};
use super::schema::ORDINAL_BITS;
use super::{Options, Role};

/// Rows dropped per transaction at least, if so many are due.
const TRIM_ROWS: usize = 128;

/// What goes.
struct Cut {
    /// The counters after it.
    kept: Counters,
    /// First and last place of rows that follow each other.
    runs: Vec<(i64, i64)>,
}

impl Ledger<'_> {
    /// Only the host trims: it is the one that knows the bounds its owner wants.
    fn trims(&self) -> bool {
        self.options.role == Role::Host
    }

    /// Whether so much is over that trimming pays.
    pub(super) fn is_trim_due(&self) -> bool {
        let Options { history_revisions_max, history_bytes_max, .. } = self.options;
        let revisions = (self.now.revision - self.now.oldest).cast_unsigned();
        let is_far_over = revisions
            > history_revisions_max.saturating_add(history_revisions_max / 16)
            || self.now.history_bytes.cast_unsigned()
                > history_bytes_max.saturating_add(history_bytes_max / 16);
        self.trims() && is_far_over
    }

    fn is_over(&self, counters: Counters) -> bool {
        let revisions = (counters.revision - counters.oldest).cast_unsigned();
        revisions > self.options.history_revisions_max
            || counters.history_bytes.cast_unsigned() > self.options.history_bytes_max
    }

    /// Drops the oldest revisions until the history is within its bounds, but no more than a few
    /// rows at once.
    pub(super) fn trim(&mut self) -> Result<()> {
        if !self.is_trim_due() {
            return Ok(());
        }
        let cut = self.find_cut(TRIM_ROWS.max(2 * self.rows))?;
        let sql = "DELETE FROM history WHERE at BETWEEN ?1 AND ?2";
        let mut delete = self.tx.prepare_cached(sql)?;
        for (first, last) in cut.runs {
            delete.execute([first, last])?;
        }
        drop(delete);
        self.now = cut.kept;
        Ok(())
    }

    /// Whole revisions, at least one, about `rows_max` rows.
    fn find_cut(&self, rows_max: usize) -> Result<Cut> {
        let sql = "SELECT at, key, length(key) + coalesce(length(stored), 0) FROM history
                   WHERE at >= ?1 ORDER BY at";
        let mut statement = self.tx.prepare_cached(sql)?;
        let mut rows = statement.query([(self.now.oldest + 1) << ORDINAL_BITS])?;
        let mut cut = Cut { kept: self.now, runs: Vec::new() };
        let mut run: Option<(i64, i64)> = None;
        let mut seen = 0;
        while let Some(row) = rows.next()? {
            let at = row.get(0)?;
            let revision = revision_of(at);
            if revision != cut.kept.oldest {
                if seen >= rows_max || (seen > 0 && !self.is_over(cut.kept)) {
                    break;
                }
                cut.kept.oldest = revision;
            }
            cut.kept.history_bytes -= row.get::<_, i64>(2)? + ROW_BYTES;
            seen += 1;
            // A value that is still the newest of its key stays; `forget` takes it when its time
            // comes.
            if self.is_newest(row.get_ref(1)?.as_bytes()?, at)? {
                cut.runs.extend(run.take());
            } else {
                run = Some((run.map_or(at, |(first, _)| first), at));
            }
        }
        cut.runs.extend(run);
        Ok(cut)
    }
}
