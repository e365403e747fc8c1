// What the server's words are called on the page.

export const STAGES = {
  download: "Fetching the photos",
  load: "Opening the photos",
  observe: "Looking at the photos",
  fit: "Fitting the body",
  measure: "Measuring",
  export: "Writing the avatar",
  upload: "Storing the results",
};

export const DEFINITIONS = {
  "ansur": "ANSUR II",
  "iso8559": "ISO 8559-1",
  "smpl-anthropometry": "SMPL-Anthropometry",
};

// The 16 measures from head to foot: name, then what the tape takes.
export const MEASURES = {
  stature: ["Stature", "height"],
  head: ["Head", "girth"],
  neck: ["Neck", "girth"],
  shoulder_breadth: ["Shoulders", "breadth"],
  chest: ["Chest", "girth"],
  waist: ["Waist", "girth"],
  hip: ["Hip", "girth"],
  bicep: ["Upper arm", "girth"],
  forearm: ["Forearm", "girth"],
  wrist: ["Wrist", "girth"],
  arm_length: ["Arm", "length"],
  shoulder_to_crotch: ["Shoulder to crotch", "length"],
  inside_leg: ["Inside leg", "length"],
  thigh: ["Thigh", "girth"],
  calf: ["Calf", "girth"],
  ankle: ["Ankle", "girth"],
};

const FILES = {
  "avatar.glb": "Avatar, rigged, with 52 facial actions",
  "avatar_placeholder.glb": "Placeholder, rigged: not this person",
  "avatar.meshopt.glb": "The same avatar, compressed",
  "avatar_placeholder.meshopt.glb": "The same placeholder, compressed",
  "measurements.json": "Measurements",
  "quality.json": "How sure it all is",
  "report.html": "Report with pictures",
  "person.npz": "Shape and pose, for avatarlab",
  "mask_front.png": "Outline, front",
  "mask_side.png": "Outline, side",
  "silhouette_targets.json": "Outlines as numbers",
  "manifest.json": "List of all files with checksums",
};

export function fileWords(name) {
  const definition = /^measurements_(.+)\.json$/.exec(name)?.[1];
  return definition ? `Measurements, ${DEFINITIONS[definition] ?? definition}` : FILES[name] ?? "";
}

export function inOrder(names) {
  const known = Object.keys(FILES);
  const place = (name) => (known.includes(name) ? known.indexOf(name) : known.indexOf("measurements.json") + 0.5);
  return [...names].sort((a, b) => place(a) - place(b) || (a < b ? -1 : 1));
}

export function size(bytes) {
  if (bytes === undefined) return "";
  if (bytes < 1000) return `${bytes} bytes`;
  return bytes < 1e6 ? `${Math.round(bytes / 1000)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

export function sentence(text) {
  const words = String(text ?? "").trim();
  return words && words[0].toUpperCase() + words.slice(1) + (/[.?!]$/.test(words) ? "" : ".");
}
