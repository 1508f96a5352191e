// The work against a host made of a script; plain Node.js, no sandbox.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Fatal, Retry, handle } from "../src/dns.js";

const URL = "http://dns:8053/records/p%201";
const RECORD = { name: "www", type: "A", values: ["10.0.0.5", "10.0.0.6"] };

// A host that expects these requests, in this order: method, status and body of the answer.
function script(expected, { params = { name: "www", values: ["10.0.0.6", "10.0.0.5"] }, ...settings } = {}) {
  const all = { dns_url: "http://dns:8053/", dns_poll_ms: "100", ...settings };
  const seen = [];
  const reports = {};
  return {
    seen,
    reports,
    setting: (key) => all[key],
    params: () => params ?? assert.fail("params were asked for"),
    async http(method, url, body) {
      const [wanted, status, answer] = expected.shift();
      assert.deepEqual([method, url], [wanted, URL]);
      seen.push(body === undefined ? undefined : JSON.parse(body));
      return [status, JSON.stringify(answer)];
    },
    report(field, value) {
      reports[field] = value;
    },
    log() {},
    finish: () => assert.equal(expected.length, 0),
  };
}

// Calls as long as it wants to be called again; says how often.
async function toTheEnd(host, takesDown = false) {
  let checkpoint;
  for (let calls = 1; calls < 10; calls += 1) {
    const pending = await handle(host, takesDown, "p 1", checkpoint);
    if (pending === undefined) {
      host.finish();
      return calls;
    }
    checkpoint = JSON.parse(JSON.stringify(pending.checkpoint));
  }
  return assert.fail("it does not end");
}

const failsWith = (host, Failure, message, takesDown) =>
  assert.rejects(toTheEnd(host, takesDown), (failure) => {
    assert.ok(failure instanceof Failure, failure);
    assert.match(failure.message, message);
    return true;
  });

test("a record is sent and reported once everybody sees it", async () => {
  const host = script([
    ["PUT", 201, {}],
    ["GET", 404, null],
    ["GET", 200, { ...RECORD, values: [] }],
    ["GET", 200, { ...RECORD, ttl: 1 }],
  ]);
  assert.equal(await toTheEnd(host), 4);
  assert.deepEqual(host.seen, [RECORD, undefined, undefined, undefined]);
  assert.deepEqual(host.reports, { dns_record: RECORD });
});

test("a record that does not show is tried again", async () => {
  const answers = [["PUT", 201, {}], ["GET", 404, null], ["GET", 404, null]];
  const host = script(answers, { dns_wait_ms_max: "200" });
  await failsWith(host, Retry, /does not show its record after 200 ms/);
});

test("what is not there is taken down already and no param is asked for", async () => {
  for (const status of [204, 404]) {
    const host = script([["DELETE", status, null]], { params: null });
    assert.equal(await toTheEnd(host, true), 1);
    assert.deepEqual(host.reports, {});
  }
});

test("a busy server is worth another try and a refusal is final", async () => {
  for (const [status, Failure] of [[503, Retry], [429, Retry], [422, Fatal]]) {
    for (const [method, takesDown] of [["PUT", false], ["DELETE", true]]) {
      const words = new RegExp(`${method} http://dns:8053/records/p%201 was answered with ${status}`);
      await failsWith(script([[method, status, null]]), Failure, words, takesDown);
    }
  }
});

test("params and settings that make no record say so", async () => {
  for (const [params, words] of [
    [{ name: "www", values: [] }, /param values is empty/],
    [{ name: "", values: ["10.0.0.5"] }, /param name is empty/],
    [{ name: "www", values: 1 }, /param values is neither a text nor a list of texts/],
  ]) {
    await failsWith(script([], { params }), Fatal, words);
  }
  for (const [settings, words] of [
    [{ dns_url: undefined }, /setting dns_url is missing/],
    [{ dns_url: "dns:8053" }, /setting dns_url is no http or https address/],
    [{ dns_poll_ms: "soon" }, /setting dns_poll_ms is no number of milliseconds/],
  ]) {
    await failsWith(script([], settings), Fatal, words);
  }
});
