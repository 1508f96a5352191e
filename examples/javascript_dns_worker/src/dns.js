// A record in the DNS for each resource whose stack is there. The server keeps a record under an id of ours, PUT and
// DELETE <dns_url>/records/<id>, and shows it by GET once everybody can see it.
//
// Nothing here knows of the sandbox: what it needs from outside is its argument `host`, so that tests run in Node.js.

export const SETTINGS = { url: "dns_url", poll: "dns_poll_ms", wait: "dns_wait_ms_max" };

// A look is never nearer to the one before.
const POLL_MS_MIN = 10;

/** Trouble of the moment. */
export class Retry extends Error {}

/** No other try of this config can help. */
export class Fatal extends Error {}

/**
 * One call: `undefined` is the end of it, anything else when to call again, and with what. It may be called twice with
 * the same checkpoint: the record's id is the resource's, so that a second call meets the record of the first.
 */
export async function handle(host, takesDown, resourceId, checkpoint) {
  const url = `${baseUrl(host)}/records/${encodeURIComponent(resourceId)}`;
  if (takesDown) return takeDown(host, url);
  return checkpoint === undefined ? publish(host, url) : look(host, url, checkpoint);
}

// Sends the whole record. The same again changes nothing.
async function publish(host, url) {
  const pollMs = milliseconds(host, SETTINGS.poll, 1_000);
  const record = recordOf(host.params());
  success("PUT", url, await host.http("PUT", url, JSON.stringify(record)));
  host.log(`${url} was sent`);
  return { afterMs: pollMs, checkpoint: { record, waitedMs: pollMs } };
}

// Whether everybody can see the record that was sent. One call is one look: nobody waits inside a call.
async function look(host, url, { record, waitedMs }) {
  const answer = await host.http("GET", url);
  if (answer[0] !== 404 && shows(success("GET", url, answer), record)) {
    host.report("dns_record", record);
    return undefined;
  }
  if (waitedMs >= milliseconds(host, SETTINGS.wait, 60_000)) {
    // Another try sends the record again, in case the server has lost it.
    throw new Retry(`${url} does not show its record after ${waitedMs} ms`);
  }
  const pollMs = milliseconds(host, SETTINGS.poll, 1_000);
  return { afterMs: pollMs, checkpoint: { record, waitedMs: waitedMs + pollMs } };
}

// What is not there is taken down already. Params are not asked for: the outputs may be gone.
async function takeDown(host, url) {
  const answer = await host.http("DELETE", url);
  if (answer[0] !== 404) success("DELETE", url, answer);
  return undefined;
}

// The record as the server wants it.
function recordOf(params) {
  const { name, type = "A" } = params;
  const values = typeof params.values === "string" ? [params.values] : params.values;
  if (!Array.isArray(values) || !values.every((value) => typeof value === "string")) {
    throw new Fatal("param values is neither a text nor a list of texts");
  }
  if (typeof name !== "string" || name === "" || values.length === 0) {
    const what = name ? "values" : "name";
    throw new Fatal(`param ${what} is empty: a record needs a name and a value`);
  }
  return { name, type, values: [...new Set(values)].sort() };
}

// Whether the server's answer has what was sent, beside fields of its own.
function shows(body, record) {
  let shown;
  try {
    shown = JSON.parse(body);
  } catch {
    throw new Retry("the DNS server's answer is not JSON");
  }
  const fields = Object.entries(record);
  return fields.every(([field, value]) => JSON.stringify(shown?.[field]) === JSON.stringify(value));
}

// The body of an answer that says yes.
function success(method, url, [status, body]) {
  if (status >= 200 && status < 300) return body;
  const Failure = status === 408 || status === 429 || status >= 500 ? Retry : Fatal;
  throw new Failure(`${method} ${url} was answered with ${status}`);
}

function baseUrl(host) {
  const url = host.setting(SETTINGS.url);
  if (url === undefined) {
    throw new Fatal(
      `setting ${SETTINGS.url} is missing (config under [plugins.javascript_dns_worker]): it is the address of ` +
        "the DNS server's API, as in http://127.0.0.1:8053",
    );
  }
  if (!/^https?:\/\//.test(url)) throw new Fatal(`setting ${SETTINGS.url} is no http or https address`);
  return url.replace(/\/+$/, "");
}

function milliseconds(host, key, usual) {
  const text = host.setting(key);
  if (text === undefined) return usual;
  if (!/^[0-9]+$/.test(text)) throw new Fatal(`setting ${key} is no number of milliseconds`);
  return Math.max(Number(text), POLL_MS_MIN);
}
