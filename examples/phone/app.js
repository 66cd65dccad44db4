// A bundle of `osprey export`, asked on the device.

import { preprocess } from "./preprocess.js";
import * as ort from "./node_modules/onnxruntime-web/dist/ort.wasm.bundle.min.mjs";

const SHOWN = 5; // classes
const MOST_PIXELS = 16_000_000; // of a canvas on iOS
const CLASSIFIER = "osprey.tasks.classification.reader.ScoreReader";

const at = (id) => document.getElementById(id);
const inputs = [at("camera"), at("file")];
let bundle; // {card, session}
let asked = 0;

function say(text, failed = false) {
  at("status").textContent = text;
  at("status").classList.toggle("failed", failed);
}

async function fetched(name) {
  const answer = await fetch(`bundle/${name}`);
  if (!answer.ok) throw new Error(`bundle/${name} is not there: see README.md`);
  return answer;
}

async function load() {
  const card = await (await fetched("card.json")).json();
  if (card.format !== 1 || card.reader !== CLASSIFIER) {
    throw new Error(`this page asks classifiers of format 1, not ${card.task} of ${card.format}`);
  }
  const network = await (await fetched("model.onnx")).arrayBuffer();
  if (globalThis.crypto.subtle && (await sha256(network)) !== card.sha256) {
    throw new Error("card.json was not written for this model.onnx: copy the bundle again, whole");
  }
  ort.env.wasm.numThreads = 1; // more need a server that isolates the page
  ort.env.wasm.wasmPaths = new URL("node_modules/onnxruntime-web/dist/", location.href).href;
  const session = await ort.InferenceSession.create(network, { executionProviders: ["wasm"] });
  at("model").textContent =
    `${card.name}: ${card.model}, ${card.classes.length} classes, ${card.created.slice(0, 10)}`;
  return { card, session };
}

async function sha256(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Decode a file upright, on white, colours as stored: {image, isJpeg}.
async function decoded(file) {
  const start = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" });
  const shrink = Math.min(1, Math.sqrt(MOST_PIXELS / (bitmap.width * bitmap.height)));
  const [width, height] = [bitmap.width, bitmap.height].map((side) =>
    Math.max(1, Math.round(side * shrink)),
  );
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  const pixels = context.getImageData(0, 0, width, height).data;
  canvas.width = canvas.height = 0; // iOS keeps the memory otherwise
  const data = new Uint8ClampedArray(width * height * 3);
  for (let from = 0, to = 0; to < data.length; from++) {
    if (from % 4 !== 3) data[to++] = pixels[from];
  }
  return { image: { data, width, height }, isJpeg: start[0] === 0xff && start[1] === 0xd8 };
}

// Probabilities in the order of the classes.
async function probabilities(image, isJpeg) {
  const { card, session } = bundle;
  const { size } = card.preprocess;
  const input = new Uint8Array(preprocess(image, card.preprocess, isJpeg).data.buffer);
  const photos = new ort.Tensor("uint8", input, [1, size, size, 3]);
  const [output] = Object.values(await session.run({ [session.inputNames[0]]: photos }));
  const logits = Array.from(output.data, (logit) => logit / card.temperature);
  const most = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - most));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}

async function answer(file) {
  if (!bundle || !file) return;
  const turn = ++asked; // of two photos the later counts
  say("Looking");
  at("result").hidden = true;
  await new Promise((done) => setTimeout(done, 20)); // let the page be drawn
  const started = performance.now();
  let photo;
  try {
    photo = await decoded(file);
  } catch {
    if (turn === asked) say(`${file.name}: this browser cannot read it; try a JPEG or PNG`, true);
    return;
  }
  try {
    const scores = await probabilities(photo.image, photo.isJpeg);
    if (turn !== asked) return;
    show(file, scores);
    say(`${file.name}: answered in ${Math.round(performance.now() - started)} ms`);
  } catch (error) {
    if (turn === asked) say(`${file.name}: ${error.message}`, true);
  }
}

function show(file, scores) {
  const { card } = bundle;
  const ranked = card.classes
    .map((name, i) => [name, scores[i]])
    .sort(([, a], [, b]) => b - a);
  const isUnknown = ranked[0][1] < (card.unknown_below ?? 0);
  const rows = ranked.slice(0, SHOWN).map(([name, score]) => row(name, score));
  if (isUnknown) rows.unshift(element("li", "", element("span", "name", "unknown")));
  at("answer").replaceChildren(...rows);
  URL.revokeObjectURL(at("photo").src);
  at("photo").src = URL.createObjectURL(file);
  at("photo").alt = file.name;
  at("result").hidden = false;
}

function row(name, score) {
  const bar = element("span", "");
  bar.style.width = `${100 * score}%`;
  const track = element("div", "bar", bar);
  track.ariaHidden = "true";
  return element("li", "", element("span", "name", name),
    element("span", "score", `${(100 * score).toFixed(1)}%`), track);
}

function element(tag, className, ...content) {
  const made = Object.assign(document.createElement(tag), { className });
  made.append(...content);
  return made;
}

for (const input of inputs) {
  input.addEventListener("change", () => {
    answer(input.files[0]);
    input.value = ""; // the same photo may be chosen again
  });
}
addEventListener("paste", (event) => answer(event.clipboardData.files[0]));
addEventListener("dragover", (event) => {
  event.preventDefault();
  at("choose").classList.add("over");
});
addEventListener("dragleave", () => at("choose").classList.remove("over"));
addEventListener("drop", (event) => {
  event.preventDefault();
  at("choose").classList.remove("over");
  answer(event.dataTransfer.files[0]);
});

async function start() {
  try {
    bundle = await load();
  } catch (error) {
    return say(error.message, true);
  }
  inputs.forEach((input) => (input.disabled = false));
  say("Ready");
  if (!("serviceWorker" in navigator)) return;
  await navigator.serviceWorker.register("offline.js");
  await navigator.serviceWorker.ready;
  if (!asked) say("Ready, also without a network");
}

start();
