// The handler `javascript_dns_worker`: joins the work of `dns.js` to what the host lends.

import { get } from "stokehold:worker/config@0.1.0";
import { write } from "stokehold:worker/log@0.1.0";
import { resolveAll } from "stokehold:worker/params@0.1.0";
import { report } from "stokehold:worker/state@0.1.0";

import { Fatal, Retry, SETTINGS, handle } from "./dns.js";

const host = {
  setting: (key) => get(key),

  params() {
    try {
      return JSON.parse(resolveAll());
    } catch (failed) {
      // What the contract gives as an error comes as an exception; `payload` is the contract's value.
      if (failed?.payload === undefined) throw failed;
      const { name, error } = failed.payload;
      if (error.tag === "unavailable") throw new Retry(`cannot resolve param ${name}: ${error.val}`);
      throw new Fatal(`cannot resolve param ${name}: ${JSON.stringify(error)}`);
    }
  },

  async http(method, url, body) {
    const headers = body === undefined ? {} : { "content-type": "application/json" };
    let answer;
    try {
      answer = await fetch(url, { method, headers, body });
      return [answer.status, await answer.text()];
    } catch (why) {
      // A host that was not granted says so in the log: here it looks like one that is away.
      throw new Retry(`cannot ask the DNS server at ${url}: ${why.message}`);
    }
  },

  report: (field, value) => report(field, JSON.stringify(value)),

  log: (line) => write("info", line),
};

export const handler = {
  describe() {
    return {
      name: "javascript_dns_worker",
      after: ["heat_worker"],
      update: "modify",
      limits: [],
      grants: [
        { kind: "http", value: `config:${SETTINGS.url}` },
        ...Object.values(SETTINGS).map((key) => ({ kind: "config", value: key })),
      ],
    };
  },

  async handle(job, checkpoint) {
    const takesDown = job.action === "delete" || job.action === "logical-delete";
    const waiting = checkpoint === undefined ? undefined : JSON.parse(checkpoint);
    try {
      const pending = await handle(host, takesDown, job.target.resourceId, waiting);
      if (pending === undefined) return { tag: "completed" };
      const { afterMs } = pending;
      const val = { afterMs: BigInt(afterMs), checkpoint: JSON.stringify(pending.checkpoint) };
      return { tag: "pending", val };
    } catch (failure) {
      if (failure instanceof Retry) return { tag: "failed", val: { tag: "retry", val: failure.message } };
      if (failure instanceof Fatal) return { tag: "failed", val: { tag: "fatal", val: failure.message } };
      throw failure;
    }
  },
};
