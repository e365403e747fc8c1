// What a finished job gave: the avatar turning, its measurements, what to know of them, the files.

import * as client from "./client.js";
import { DEFINITIONS, MEASURES, fileWords, inOrder, sentence, size } from "./words.js";

const $ = (id) => document.getElementById(id);
const LATER_MS = 60_000;
const NO_WEBGL = "This browser shows no 3D (WebGL is missing or switched off). "
  + "Nothing is lost: download the avatar and open it in any glTF viewer.";
const LOST = "The graphics of this browser gave up. Reload the page, or download the avatar.";

export class Outcome {
  constructor(id, ticket) {
    Object.assign(this, { id, ticket, files: Object.keys({ ...ticket.files, ...ticket.links }), pictures: [] });
    this.ended = new AbortController();
  }

  get open() { return !this.ended.signal.aborted; }

  // Fills the page; what cannot be fetched is said where it belongs. 401 and 410 go up to the caller.
  async show() {
    this.#head();
    this.#list();
    const parts = [this.#avatar(), this.#definitions(), this.#quality(), this.#masks()];
    for (const done of await Promise.allSettled(parts)) {
      if (done.status === "rejected" && [401, 403, 410].includes(done.reason?.status)) throw done.reason;
    }
  }

  close() {
    this.ended.abort();
    this.viewer?.close();
    for (const address of this.pictures) URL.revokeObjectURL(address);
    $("masks").replaceChildren();
  }

  #head() {
    const { placeholder, subject } = this.ticket;
    $("done-title").textContent = subject || "Your avatar";
    $("placeholder").hidden = $("stamp").hidden = !placeholder;
    $("stage3d").classList.toggle("is-placeholder", Boolean(placeholder));
    $("reasons").replaceChildren(...(placeholder && this.ticket.reason ? [item(this.ticket.reason)] : []));
    document.title = `${placeholder ? "Placeholder" : "Avatar"} ready`;
  }

  #list() {
    $("files").replaceChildren(...inOrder(this.files).map((name) => {
      const button = make("button", name, { type: "button", className: "link" });
      const about = [fileWords(name), size(this.ticket.files?.[name]?.bytes)].filter(Boolean);
      const line = make("li", "", {});
      button.addEventListener("click", () => this.#download(name, button));
      line.append(button, make("span", about.join(", "), { className: "hint" }));
      return line;
    }));
  }

  async #download(name, button) {
    button.disabled = true;
    try {
      const link = make("a", "", { href: URL.createObjectURL(await client.file(this.id, name)), download: name });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), LATER_MS);
      button.nextElementSibling.classList.remove("fault");
    } catch (error) {
      button.nextElementSibling.textContent = sentence(error.message);
      button.nextElementSibling.classList.add("fault");
    }
    button.disabled = false;
  }

  // --- the avatar ---

  async #avatar() {
    const name = this.files.find((one) => /^avatar(_placeholder)?\.glb$/.test(one));
    this.#veil("Loading the avatar");
    $("controls").hidden = true;
    try {
      const [{ Viewer, possible }, blob] = await Promise.all([import("./viewer.js"), client.file(this.id, name)]);
      if (!this.open) return;
      if (!possible()) {
        return void this.#instead(NO_WEBGL, name);
      }
      const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
      const onLost = () => this.#instead(LOST, name);
      const viewer = await Viewer.open($("avatar"), await blob.arrayBuffer(), { still, onLost });
      if (!this.open) return void viewer.close();
      this.viewer = viewer;
      $("avatar").setAttribute("aria-label", `${this.ticket.placeholder ? "Placeholder body" : "The avatar"}, in 3D`);
      this.#controls(viewer);
      this.#veil("");
    } catch (error) {
      if (!this.open) return;
      this.#instead("The avatar could not be shown. Reload the page, or download it.", name);
      throw error;
    }
  }

  #controls(viewer) {
    const { signal } = this.ended, spin = $("spin");
    const told = () => {
      spin.textContent = viewer.turning ? "Hold still" : "Turn";
      spin.setAttribute("aria-label", viewer.turning ? "Stop turning the avatar" : "Turn the avatar");
    };
    spin.addEventListener("click", () => { viewer.turn(!viewer.turning); told(); }, { signal });
    $("front-view").addEventListener("click", () => { viewer.turn(false); viewer.front(); told(); }, { signal });
    $("nearer").addEventListener("click", () => viewer.zoom(0.8), { signal });
    $("farther").addEventListener("click", () => viewer.zoom(1.25), { signal });
    told();
    $("controls").hidden = false;
  }

  #veil(text) {
    $("veil").replaceChildren(text);
    $("veil").hidden = !text;
  }

  #instead(text, name) {
    this.#veil(text);
    $("controls").hidden = true;
    if (!name) return;
    const button = make("button", `Download ${name}`, { type: "button" });
    button.addEventListener("click", () => this.#download(name, button));
    $("veil").append(button, make("span", "", {}));
  }

  // --- measurements ---

  async #definitions() {
    const names = this.files.filter((name) => /^measurements(_.+)?\.json$/.test(name)).sort((a, b) => a.length - b.length);
    const tables = await Promise.all(names.map((name) => client.json(this.id, name)))
      .catch((error) => this.#noTable("The measurements could not be fetched. Reload the page.", error));
    if (!this.open) return;
    if (!tables.length) return this.#noTable("This avatar came without measurements.");
    const choice = $("definition");
    const title = ({ definition }) => DEFINITIONS[definition] ?? definition;
    choice.replaceChildren(...tables.map((one, at) => make("option", title(one), { value: at })));
    $("definition-field").hidden = tables.length < 2;
    choice.addEventListener("change", () => this.#table(tables[choice.value]), { signal: this.ended.signal });
    this.#table(tables[0]);
  }

  #noTable(text, error) {
    $("measures").tBodies[0].replaceChildren();
    $("measures-hint").textContent = text;
    if (error) throw error;
  }

  #table(table) {
    const known = Object.keys(MEASURES).filter((name) => name in table.measures);
    const others = Object.keys(table.measures).filter((name) => !(name in MEASURES));
    const definition = DEFINITIONS[table.definition] ?? table.definition;
    const average = this.ticket.placeholder ? "Placeholder, an average body: " : "";
    $("measures").caption.textContent = `${average}measurements by ${definition}`;
    $("measures").classList.toggle("is-placeholder", Boolean(this.ticket.placeholder));
    $("measures").tBodies[0].replaceChildren(...[...known, ...others].map((name) => row(name, table.measures[name])));
    const share = Math.round(100 * (table.coverage ?? 0.9));
    $("measures-hint").textContent = [
      `Of 100 such intervals about ${share} hold the tape's value. A measure that the photos cannot know is withheld.`,
      table.weight_kg ? `A body of this volume weighs ${number(table.weight_kg)} kg.` : "",
    ].join(" ");
  }

  // --- what to know ---

  async #quality() {
    $("quality").hidden = true;
    if (!this.files.includes("quality.json")) return;
    const quality = await client.json(this.id, "quality.json");
    if (!this.open) return;
    const lines = [...new Set([...(this.ticket.warnings ?? []), ...(quality.warnings ?? [])])];
    for (const view of quality.views ?? []) {
      lines.push(`${view.view} view: body and outline cover each other to ${Math.round(100 * view.iou)} %`);
    }
    if (quality.calibrated === false) lines.push("The intervals have not been checked on people such as this one.");
    if (quality.reasons?.length && this.ticket.placeholder) $("reasons").replaceChildren(...quality.reasons.map(item));
    $("warnings").replaceChildren(...lines.map(item));
    $("quality").hidden = !lines.length;
  }

  async #masks() {
    const names = this.files.filter((name) => /^mask_(front|side)\.png$/.test(name)).sort();
    $("masks").hidden = true;
    const figures = await Promise.all(names.map(async (name) => {
      const address = URL.createObjectURL(new Blob([await client.file(this.id, name)], { type: "image/png" }));
      const view = name.slice(5, -4), figure = make("figure", "", {});
      this.pictures.push(address);
      figure.append(make("img", "", { src: address, alt: `Outline of the person, ${view} photo` }),
        make("figcaption", `Outline, ${view}`, {}));
      return figure;
    }));
    if (!this.open) return;
    $("masks").replaceChildren(...figures);
    $("masks").hidden = !figures.length;
  }
}

function row(name, { value, interval, reason }) {
  const line = make("tr", "", {}), [title, kind] = MEASURES[name] ?? [name.replaceAll("_", " "), ""];
  const head = make("th", title, { scope: "row" });
  head.append(" ", make("span", kind, { className: "kind" }));
  line.append(head);
  if (value === null || value === undefined) {
    line.className = "withheld";
    line.append(make("td", `withheld: ${reason ?? "not known"}`, { colSpan: 2 }));
    return line;
  }
  const between = make("td", "", { className: "num" });
  if (interval && interval[1] - interval[0] < 0.005) between.append("as given");
  else if (interval) between.append(`${number(interval[0])} to ${number(interval[1])}`);
  line.append(make("td", number(value), { className: "num value" }), between);
  if (reason) between.append(make("span", reason, { className: "why" }));
  return line;
}

const number = (value) => Number(value).toFixed(1);
const item = (text) => make("li", sentence(text), {});

function make(tag, text, properties) {
  return Object.assign(document.createElement(tag), { textContent: text }, properties);
}
