// The form: choosing photos, checking what can be checked here, showing what is wrong beside its field.

import { sentence } from "./words.js";

const $ = (id) => document.getElementById(id);
const VIEWS = ["front", "side"];
const ENDINGS = /\.(jpe?g|png|webp|hei[cf])$/i;
const TYPES = /^image\/(jpeg|png|webp|hei[cf])$/;
const HEIC = /\.hei[cf]$/i;
const LARGEST_MB = 50;
const RANGES = { stature_cm: [100, 250, "centimetres"], weight_kg: [20, 300, "kilograms"] };
// Names that the server uses for what stands under another name here.
const ALIASES = { front_key: "front", side_key: "side" };

export class JobForm {
  constructor() {
    this.form = $("job-form");
    this.id = newId();
    // Nothing is checked when a field is left: the sentence would push the button away from under a click.
    // A changed form is another job: only an unchanged one is sent again under its old id.
    this.form.addEventListener("input", (event) => { this.id = newId(); this.#show(event.target.name, ""); });
    for (const view of VIEWS) this.#photo(view);
  }

  // Returns the data to send, or null and shows what is missing.
  read() {
    const faults = {
      front: this.#file("front", true), side: this.#file("side", false),
      subject: this.#subject(), stature_cm: this.#number("stature_cm"), weight_kg: this.#number("weight_kg"),
      definitions: this.form.querySelector("[name=definitions]:checked") ? "" : "Choose at least one.",
    };
    this.complain(faults);
    return Object.values(faults).some(Boolean) ? null : this.#data();
  }

  // Shows faults (field -> text) beside their fields and goes to the first; what has no field here is said on top.
  complain(faults, general = "") {
    const homeless = [];
    for (const fault of document.querySelectorAll("#job-form .fault")) this.#show(fault.id.replace(/-fault$/, ""), "");
    for (const [name, text] of Object.entries(faults)) {
      if (!this.#show(ALIASES[name] ?? name, text)) homeless.push(`${name}: ${text}`);
    }
    const words = [general, ...homeless].filter(Boolean).map(sentence).join(" ");
    $("form-fault").textContent = words;
    $("form-fault").hidden = !words;
    const first = this.form.querySelector("[aria-invalid=true]");
    if (first) first.focus();
    else if (words) $("form-fault").scrollIntoView({ block: "center" });
  }

  #data() {
    const data = new FormData();
    data.set("id", this.id);
    for (const view of VIEWS) {
      const [photo] = this.form[view].files;
      if (photo) data.set(view, photo, photo.name);
    }
    data.set("subject", this.#text("subject"));
    for (const name of Object.keys(RANGES)) if (this.#text(name)) data.set(name, this.#text(name));
    for (const name of ["sex", "clothes", "display_pose"]) data.set(name, this.form[name].value);
    for (const box of this.form.querySelectorAll("[name=definitions]:checked")) data.append("definitions", box.value);
    if (this.form.on_failure.checked) data.set("on_failure", "placeholder");
    return data;
  }

  #text(name) {
    const text = this.form[name].value.trim();
    return name in RANGES ? text.replace(",", ".") : text;
  }

  #subject() {
    const text = this.#text("subject");
    if (!text) return "Give the person a name; any will do.";
    return /[\p{Cc}\p{Cs}]/u.test(text) ? "Leave out control characters." : "";
  }

  #number(name) {
    const [low, high, unit] = RANGES[name], text = this.#text(name), value = Number(text);
    if (!text) return this.form[name].required ? "Needed: it sets the avatar's scale." : "";
    if (value >= low && value <= high) return "";
    return `Expected ${low} to ${high} ${unit}.${name === "stature_cm" ? mistaken(value) : ""}`;
  }

  #file(view, required) {
    const [photo] = this.form[view].files;
    if (!photo) return required ? "A photo from the front is needed." : "";
    if (!ENDINGS.test(photo.name) && !TYPES.test(photo.type)) return "Expected JPEG, PNG, WebP or HEIC.";
    if (!photo.size) return "This file is empty.";
    return photo.size > LARGEST_MB * 1e6 ? `Larger than ${LARGEST_MB} MB.` : "";
  }

  #show(name, text) {
    const fault = $(`${name}-fault`);
    if (!fault || !this.form.contains(fault)) return false;
    fault.textContent = sentence(text);
    fault.hidden = !text;
    for (const field of this.form.querySelectorAll(`[name="${CSS.escape(name)}"]`)) {
      if (text) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
    }
    return true;
  }

  #photo(view) {
    const field = this.form[view], drop = field.closest(".drop"), image = drop.querySelector(".preview");
    const remove = drop.querySelector(".remove"), chosen = drop.querySelector(".chosen");
    const look = () => {
      const [photo] = field.files;
      if (image.src) URL.revokeObjectURL(image.src);
      image.removeAttribute("src");
      drop.classList.toggle("full", Boolean(photo));
      drop.classList.remove("shown");
      chosen.hidden = remove.hidden = !photo;
      image.hidden = true;
      this.#show(view, this.#file(view, false));
      if (!photo) return;
      chosen.textContent = photo.name;
      image.alt = `The ${view} photo that you chose: ${photo.name}`;
      image.onload = () => { image.hidden = false; drop.classList.add("shown"); };
      image.onerror = () => {
        chosen.textContent = HEIC.test(photo.name)
          ? `${photo.name} is chosen. Your browser cannot show HEIC; the server can read it.`
          : `${photo.name} is chosen, but your browser cannot show it.`;
      };
      image.src = URL.createObjectURL(photo);
    };
    field.addEventListener("change", look);
    const over = { dragenter: true, dragover: true, dragleave: false, dragend: false, drop: false };
    for (const [name, on] of Object.entries(over)) {
      field.addEventListener(name, () => drop.classList.toggle("over", on));
    }
    remove.addEventListener("click", () => { field.value = ""; this.id = newId(); look(); field.focus(); });
    look();
  }
}

function mistaken(stature) {
  if (stature > 0 && stature < 3) return " Are these metres?";
  return stature > 999 ? " Are these millimetres?" : "";
}

function newId() {
  // As crypto.randomUUID, which browsers offer on https and localhost only.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
