// Talks to the API: who asks (the token), sending photos, following a job, fetching and deleting results.

const KEPT = "avatarlab.token";
const LONGEST_WAIT_S = 15;
const ANSWER_S = 30;
const FILE_S = 300;
// What the API blames where no field of a form is at fault.
const NOT_FIELDS = ["", "body", "Authorization", "Content-Type"];

export class Refused extends Error {
  // The server said no: status, what is wrong in words, and per field where it says so.
  constructor(status, text, fields = {}, retryAfter = 0) {
    super(text);
    Object.assign(this, { status, fields, retryAfter });
  }
}

export class Unreachable extends Error {}

// --- the token: from the address (#token=...), else as typed; only in this tab ---

let known = "";

export function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    keepToken(given);
    history.replaceState(history.state, "", location.pathname + location.search);
  }
  try {
    known ||= sessionStorage.getItem(KEPT) ?? "";
  } catch { /* storage is off: the token lives as long as the page */ }
  return Boolean(known);
}

export function keepToken(text) {
  known = text.trim();
  try {
    if (known) sessionStorage.setItem(KEPT, known);
    else sessionStorage.removeItem(KEPT);
  } catch { /* as above */ }
}

const address = (path) => new URL(path, document.baseURI).href;
const path = (id, name) => `avatars/${encodeURIComponent(id)}${name ? `/files/${encodeURIComponent(name)}` : ""}`;

async function ask(where, { method = "GET", seconds = ANSWER_S } = {}) {
  let answer;
  try {
    answer = await fetch(address(where), {
      method, headers: { Authorization: `Bearer ${known}` }, cache: "no-store",
      signal: AbortSignal.timeout(seconds * 1000),
    });
  } catch {
    throw new Unreachable("The server does not answer.");
  }
  if (!answer.ok) throw refusal(answer.status, await answer.text().catch(() => ""), answer.headers.get("Retry-After"));
  return answer;
}

export async function state(id) {
  return body(await ask(path(id)));
}

export async function file(id, name) {
  const answer = await ask(path(id, name), { seconds: FILE_S });
  return answer.blob().catch(() => { throw new Unreachable("The connection broke off."); });
}

export async function json(id, name) {
  return JSON.parse(await (await file(id, name)).text());
}

export async function remove(id) {
  await ask(path(id), { method: "DELETE" });
}

async function body(answer) {
  try {
    return await answer.json();
  } catch {
    throw new Unreachable("The server's answer cannot be read.");
  }
}

// --- sending: XMLHttpRequest, because fetch tells no progress of what it sends ---

export function send(form, { onProgress, signal }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", address("avatars"));
    request.setRequestHeader("Authorization", `Bearer ${known}`);
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    };
    request.onload = () => {
      if (request.status < 200 || request.status > 299) {
        reject(refusal(request.status, request.responseText, request.getResponseHeader("Retry-After")));
        return;
      }
      try {
        resolve(JSON.parse(request.responseText));
      } catch {
        reject(new Unreachable("The server's answer cannot be read."));
      }
    };
    request.onerror = () => reject(new Unreachable("The connection broke off while the photos were sent."));
    request.onabort = () => reject(new DOMException("stopped", "AbortError"));
    signal.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}

function refusal(status, text, retryAfter) {
  let faults = [];
  try {
    faults = JSON.parse(text).detail;
  } catch { /* not from our API, a proxy's page perhaps: its text says nothing to people */ }
  if (!Array.isArray(faults)) faults = [];
  const fields = {}, general = [];
  for (const { field, message } of faults) {
    const name = String(field ?? "").split(".")[0], words = String(message ?? "");
    if (NOT_FIELDS.includes(name)) general.push(words);
    else fields[name] = words.replace(`${name}: `, "");
  }
  return new Refused(status, general.join(" ") || plain(status), fields, Number(retryAfter) || 0);
}

function plain(status) {
  if (status === 413) return "The photos are larger than this server takes.";
  if (status === 429 || status === 503) return "The server is busy.";
  return status >= 500 ? `The server failed (${status}).` : `The server refused this (${status}).`;
}

// --- following: ask again and again, less often while nobody looks or nothing answers ---

export async function follow(id, { onState, onTrouble, signal }) {
  let failures = 0;
  for (;;) {
    signal.throwIfAborted();
    let wait;
    try {
      const ticket = await state(id);
      signal.throwIfAborted();
      if (failures) onTrouble(null);
      failures = 0;
      onState(ticket);
      if (ticket.state === "completed" || ticket.state === "failed") return ticket;
      wait = document.hidden ? 5 : ticket.state === "active" ? 0.7 : 2;
    } catch (error) {
      if (!passing(error)) throw error;
      wait = Math.max(Math.min(2 ** failures, LONGEST_WAIT_S), Math.min(error.retryAfter ?? 0, 120));
      failures += 1;
      onTrouble(`${error.message} Your job is safe there; asking again in ${Math.round(wait)} s.`);
    }
    await pause(wait, signal);
  }
}

const passing = (error) => error instanceof Unreachable || error.status === 429 || error.status >= 500;

function pause(seconds, signal) {
  // Ends early when the network comes back, when the tab is looked at again, or when nobody wants to know any more.
  return new Promise((resolve) => {
    const ended = new AbortController();
    const end = () => { clearTimeout(timer); ended.abort(); resolve(); };
    const timer = setTimeout(end, seconds * 1000);
    const looked = () => { if (!document.hidden) end(); };
    addEventListener("online", end, { signal: ended.signal });
    document.addEventListener("visibilitychange", looked, { signal: ended.signal });
    signal.addEventListener("abort", end, { signal: ended.signal });
  });
}
