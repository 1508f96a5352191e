import assert from "node:assert/strict";
import { test } from "node:test";

import { work } from "../src/work.js";

// The verdict, and what was reported.
function handle(action, resolveAll) {
  const reports = [];
  const host = { log() {}, report: (field, value) => reports.push([field, value]), resolveAll };
  return [work(host, { action }, undefined), reports];
}

test("what is put up is reported", () => {
  for (const action of ["create", "modify"]) {
    const [verdict, reports] = handle(action, () => '{"name":"one"}');
    assert.deepEqual(verdict, { tag: "completed" });
    assert.deepEqual(reports, [["my_worker", '{"name":"one"}']]);
  }
});

test("what is taken down asks for nothing", () => {
  for (const action of ["delete", "logical-delete"]) {
    const [verdict, reports] = handle(action, () => assert.fail());
    assert.deepEqual(verdict, { tag: "completed" });
    assert.deepEqual(reports, []);
  }
});

test("only trouble of the moment is worth another try", () => {
  for (const [tag, kind] of [["unavailable", "retry"], ["unknown", "fatal"]]) {
    const [verdict, reports] = handle("create", () => {
      throw Object.assign(new Error(), { payload: { name: "name", error: { tag, val: "x" } } });
    });
    assert.equal(verdict.tag, "failed");
    assert.equal(verdict.val.tag, kind);
    assert.deepEqual(reports, []);
  }
});

test("a slip of our own is not taken for an answer of the host", () => {
  assert.throws(() => handle("create", () => undefined.x), TypeError);
});
