// The page: which of its five sections shows (ask, make, work, done, sorry), and what leads from one to the next.
// The job's id is kept in the address (?job=...), so a reload finds the job again.

import * as client from "./client.js";
import { JobForm } from "./form.js";
import { Outcome } from "./outcome.js";
import { STAGES, sentence } from "./words.js";

const $ = (id) => document.getElementById(id);
const SECTIONS = ["ask", "make", "work", "done", "sorry"];
const TITLE = document.title;
const LEAVE = "You may close this page and come back to its address.";

const form = new JobForm();
let outcome = null;
let running = new AbortController();

// --- sections ---

function show(name, focus = true) {
  for (const section of SECTIONS) $(section).hidden = section !== name;
  if (name !== "done") { outcome?.close(); outcome = null; document.title = TITLE; }
  if (focus) { $(`${name}-title`).focus({ preventScroll: true }); scrollTo(0, 0); }
}

function trouble(text) {
  $("network").textContent = text ?? "";
  $("network").hidden = !text;
}

function leave() {
  running.abort();
  running = new AbortController();
  trouble(null);
  return running.signal;
}

const jobInAddress = () => new URLSearchParams(location.search).get("job");

function name(id) {
  const address = new URL(location.href);
  address.search = id ? `?${new URLSearchParams({ job: id })}` : "";
  if (address.href !== location.href) history.pushState(null, "", address);
}

function start(focus = true) {
  const signal = leave(), id = jobInAddress();
  if (!client.takeToken()) return ask("", focus);
  if (id) return watch(id, signal);
  show("make", focus);
}

function ask(text, focus = true) {
  show("ask", focus);
  $("token-fault").textContent = text;
  $("token-fault").hidden = !text;
  $("token").toggleAttribute("aria-invalid", Boolean(text));
  $("token").focus();
}

function sorry(title, reason, { remove = false } = {}) {
  trouble(null);
  $("sorry-title").textContent = title;
  $("sorry-reason").textContent = sentence(reason);
  $("sorry-delete").hidden = !remove;
  show("sorry");
}

// What every call may come back with; true where it has been dealt with.
function dealt(error) {
  if (error.name === "AbortError") return true;
  if (error.status === 401 || error.status === 403) {
    leave();
    client.keepToken("");
    ask("The server does not accept this token. It may have expired.");
    return true;
  }
  const known = {
    404: ["Not found", "The server knows no job of this number; perhaps it was deleted long ago."],
    410: ["Deleted", "This avatar and its photos have been deleted."],
    422: ["Not found", "The address names no job."],
  }[error.status];
  if (known) sorry(...known);
  return Boolean(known);
}

// --- sending ---

async function submit() {
  const data = form.read();
  if (!data) return;
  const signal = leave();
  working("Sending the photos", 0, "Keep this page open until the photos are sent.");
  try {
    const onProgress = (share) => {
      if (share < 1) working("Sending the photos", 100 * share);
      else working("Checking the photos", null);
    };
    const { id } = await client.send(data, { signal, onProgress });
    name(id);
    await watch(id, signal);
  } catch (error) {
    if (error.name === "AbortError") return void show("make");
    if ((error.status === 401 || error.status === 403) && dealt(error)) return;
    show("make", false);
    const fields = error.fields ?? {};
    form.complain(fields, Object.keys(fields).length ? "" : `${sentence(error.message)} ${advice(error)}`);
  }
}

function advice({ status, retryAfter }) {
  if (retryAfter) return `Try again in ${retryAfter} s.`;
  return !status || status >= 500 ? "Try again in a moment." : "";
}

// --- following ---

async function watch(id, signal) {
  import("./viewer.js").catch(() => {});  // fetched while the job runs
  working("Asking for the job", null);
  $("steps").replaceChildren(...Object.entries(STAGES).map(([stage, words]) => {
    const step = document.createElement("li");
    step.dataset.stage = stage;
    step.textContent = words;
    return step;
  }));
  try {
    const ticket = await client.follow(id, { signal, onState: progress, onTrouble: trouble });
    if (ticket.state === "failed") {
      return sorry("No avatar came of it", ticket.reason ?? "The job failed.", { remove: true });
    }
    show("done");
    outcome = new Outcome(id, ticket);
    await outcome.show();
  } catch (error) {
    if (dealt(error)) return;
    if (error instanceof client.Refused) sorry("The server refused this", error.message);
    else trouble(error.message);
  }
}

function progress(ticket) {
  const { state, progress: far, reason } = ticket;
  if (state === "waiting") {
    return working("Waiting for a free worker", null, LEAVE);
  }
  if (state === "delayed") return working("Will be tried again", null, sentence(reason));
  // Between two reports nothing may be known; what was shown stands.
  if (far) working(STAGES[far.stage] ?? "Working", far.percent, LEAVE, far.stage);
  else if ($("steps").hidden) working("Starting", 0, LEAVE);
}

function working(words, percent, hint, stage) {
  if ($("work").hidden) show("work");
  const bar = $("bar"), whole = percent === null ? null : Math.round(percent);
  $("steps").hidden = !stage;
  if (whole === null) bar.removeAttribute("value");
  else bar.value = whole;
  $("percent").textContent = whole === null ? "" : `${whole} %`;
  if (hint !== undefined) $("work-hint").textContent = hint;
  const names = Object.keys(STAGES), at = names.indexOf(stage);
  for (const step of $("steps").children) {
    const place = names.indexOf(step.dataset.stage);
    step.className = place < at ? "past" : place === at ? "now" : "";
  }
  if ($("stage").textContent !== words) {
    $("stage").textContent = words;
    // Spoken once per stage: a reader that is told every percent reads nothing else.
    $("spoken").textContent = whole ? `${words}, ${whole} %` : words;
  }
}

// --- deleting ---

async function remove(button) {
  const id = jobInAddress();
  if (!id) { leave(); return show("make"); }
  if (!await sure()) return;
  button.disabled = true;
  try {
    await client.remove(id);
    leave();
    sorry("Deleted", "Photos, avatar and measurements are no longer on this server.");
  } catch (error) {
    if (!dealt(error)) trouble(`${error.message} Nothing was deleted; try again.`);
  }
  button.disabled = false;
}

function sure() {
  const dialog = $("sure");
  dialog.returnValue = "keep";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "delete"), { once: true });
  });
}

// --- wiring ---

$("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!$("token").value.trim()) return ask("Paste the token that you were given.");
  client.keepToken($("token").value);
  $("token").value = "";
  start();
});
$("job-form").addEventListener("submit", (event) => { event.preventDefault(); submit(); });
for (const id of ["stop", "delete", "sorry-delete"]) $(id).addEventListener("click", () => remove($(id)));
for (const link of document.querySelectorAll("[data-again]")) {
  link.addEventListener("click", (event) => { event.preventDefault(); name(""); start(); });
}
addEventListener("popstate", () => start());
addEventListener("hashchange", () => { if (client.takeToken()) start(); });
start(false);
