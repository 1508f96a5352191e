use super::*;

#[test]
fn a_segment_holds_nothing_that_a_path_gives_a_meaning() {
    assert_eq!(path_segment("port_a-1.b~:c"), "port_a-1.b~:c");
    assert_eq!(path_segment("a b/c?d:e%ż"), "a%20b%2Fc%3Fd:e%25%C5%BC");
    assert_eq!(path_segment("."), "%2E");
    assert_eq!(path_segment(".."), "%2E%2E");
    assert_eq!(path_segment("..."), "...");
}

#[test]
fn an_address_with_a_user_is_refused_and_not_quoted() {
    assert_eq!(base_url("p", "url", "http://a:1/v1//"), Ok("http://a:1/v1".to_owned()));
    for url in ["http://me:hidden@a:1", "me:hidden@a", "http://me:hid/den@a"] {
        let failure = base_url("p", "url", url).unwrap_err();
        let words = "setting url of p holds an @: it wants an address without user and \
                     password, as in http://127.0.0.1:8004";
        assert_eq!(failure, Failure::fatal(words));
    }
}

#[test]
fn a_host_that_is_not_granted_is_named_with_its_port_and_the_setting() {
    let cases = [
        ("127.0.0.1:18004", false, "127.0.0.1:18004"),
        ("heat", false, "heat:80"),
        ("heat", true, "heat:443"),
        ("[::1]", true, "[::1]:443"),
        ("[::1]:5", false, "[::1]:5"),
        ("me:hidden@heat", false, "heat:80"),
    ];
    for (authority, https, named) in cases {
        let words = format!(
            "{named} is not granted: add it to http under [plugins.heat_worker] in \
             stokehold.toml, or --grant-http heat_worker={named}"
        );
        assert_eq!(not_granted("heat_worker", authority, https), words);
    }
}

#[test]
fn headers_are_found_whatever_their_case() {
    let headers = vec![("LOCATION".to_owned(), "x".to_owned())];
    let response = Response { status: 302, headers, body: Vec::new() };
    assert_eq!(response.header("location"), Some("x"));
    assert_eq!(response.header("other"), None);
}

#[test]
fn a_status_says_whether_another_try_can_help() {
    let request = Request::get("http://me:hidden@dns:5/records/a?token=hidden");
    let failure = |status| {
        let response = Response { status, ..Response::default() };
        response.success(&request).map(|it| it.status)
    };
    let words = |status| format!("GET http://dns:5/records/a answered {status}");
    for status in [200, 204, 299] {
        assert_eq!(failure(status), Ok(status));
    }
    for status in [302, 400, 401, 404, 409, 501, 505] {
        assert_eq!(failure(status), Err(Failure::fatal(words(status))));
    }
    for status in [408, 425, 429, 500, 502, 503, 504, 599] {
        assert_eq!(failure(status), Err(Failure::retry(words(status))));
    }
}

#[test]
fn an_answer_of_another_form_is_worth_a_try_and_is_not_quoted() {
    let request = Request::put("http://dns/records");
    let read = |body: &str| {
        let response = Response { status: 200, headers: Vec::new(), body: body.into() };
        response.read::<Vec<u8>>(&request)
    };
    assert_eq!(read("[1]"), Ok(vec![1]));
    for (body, kind) in [("<html>", "is no JSON"), ("{\"a\": 1}", "is not as expected")] {
        let words = format!("PUT http://dns/records: the answer {kind} (line 1)");
        assert_eq!(read(body), Err(Failure::retry(words)));
    }
}

#[test]
fn a_query_holds_nothing_that_an_address_gives_a_meaning() {
    let request = Request::get("http://a/b").query("name", "x&y=z").query("ü", "1 2#");
    assert_eq!(request.url, "http://a/b?name=x%26y%3Dz&%C3%BC=1%202%23");
}

#[test]
fn a_body_comes_with_its_content_type() {
    let request = Request::post("http://a").body("text/plain", "hello").timeout_ms(5);
    assert_eq!((request.method, request.timeout_ms), (Method::Post, 5));
    assert_eq!(request.headers, [("content-type".to_owned(), "text/plain".to_owned())]);
    assert_eq!(request.body, b"hello");
    assert_eq!(Request::delete("http://a").method, Method::Delete);
}

#[test]
fn only_trouble_on_the_way_is_worth_another_try() {
    let trouble = HttpError::Trouble("connection refused".to_owned());
    assert_eq!(Failure::from(trouble), Failure::retry("connection refused"));
    let refused = HttpError::Refused("not granted".to_owned());
    assert_eq!(Failure::from(refused), Failure::fatal("not granted"));
    let large = HttpError::TooLarge { body_bytes_max: 5 };
    assert_eq!(Failure::from(large), Failure::fatal("the answer has more than 5 bytes"));
}
