"use strict";
// Asks the service that this page came from; nothing else is ever fetched.
const at = (id) => document.getElementById(id);
const answered = []; // {name, record}, in the order of asking
let models = [];
let waiting = []; // photos to ask again about with a key

const headers = () => (at("secret").value ? { authorization: `Bearer ${at("secret").value}` } : {});

function say(text, wrong = false) {
  at("status").textContent = text;
  at("status").classList.toggle("wrong", wrong);
}

async function loadModels() {
  const reply = await fetch("models", { headers: headers() });
  at("key").hidden = reply.status !== 401;
  if (!reply.ok) return;
  models = (await reply.json()).models;
  at("model").replaceChildren(...models.map((model) => new Option(model.name, model.name)));
  at("choice").hidden = models.length < 2;
}

const chosen = () => models.find((model) => model.name === at("model").value) || models[0];

async function ask(photos) {
  let done = 0;
  waiting = [];
  for (const photo of photos) {
    say(photos.length > 1 ? `Photo ${done + 1} of ${photos.length} ...` : "Asking ...");
    try {
      await askOne(photo);
      done += 1;
    } catch (error) {
      if (waiting.length) waiting.push(photo);
      else say(`${photo.name}: ${error.message}`, true);
      if (error.key) { waiting = photos.slice(photos.indexOf(photo)); break; }
    }
  }
  if (done === photos.length) say(done > 1 ? `${done} photos answered` : "");
}

async function askOne(photo) {
  if (!models.length) await loadModels();
  const model = chosen();
  const path = (model ? model.path : "/classify").replace(/^\//, "");
  const query = models.length > 1 ? `?model=${encodeURIComponent(model.name)}` : "";
  const reply = await fetch(path + query, { method: "POST", body: photo, headers: headers() });
  const record = await reply.json().catch(() => ({}));
  if (reply.status === 401) {
    at("key").hidden = false;
    at("secret").focus();
    throw Object.assign(new Error("an API key is needed"), { key: true });
  }
  if (!reply.ok) throw new Error((record.error || `the service answers ${reply.status}`).replace(/^photo: /, ""));
  answered.push({ name: photo.name, record });
  at("table").hidden = false;
  await show(photo, record, path + query);
}

async function show(photo, record, path) {
  const part = at("answer").content.cloneNode(true);
  const find = (selector) => part.querySelector(selector);
  const boxes = named(record);
  const ranked = record.top || rowsOf(record).map(({ label, score }) => [label, score]);
  find("figcaption").textContent = photo.name;
  find(".first").textContent = record.label || summary(boxes);
  find(".bars").append(...ranked.map(([name, score]) => bar(name, score)));
  find(".json").textContent = JSON.stringify(record, null, 2);
  const name = photo.name.replaceAll("'", "'\\''");
  find(".curl").textContent = `curl -X POST ${new URL(path, location.href)} --data-binary '@${name}'`;
  const canvas = find("canvas");
  canvas.setAttribute("aria-label", `${photo.name}: ${find(".first").textContent}`);
  at("answers").prepend(part);
  await draw(canvas, photo, boxes);
}

// A record's boxes, each called by its species where a classifier named it.
function named(record) {
  return (record.detections || []).map((box) => {
    if (!box.classifications) return box;
    const [[label, score]] = box.classifications;
    return { ...box, label: box.unknown ? "unknown" : label, score };
  });
}

function rowsOf(record) {
  const boxes = named(record);
  return boxes.length || record.label === undefined ? boxes : [record];
}

function summary(boxes) {
  const counts = new Map();
  for (const { label } of boxes) counts.set(label, (counts.get(label) || 0) + 1);
  const parts = [...counts].map(([label, count]) => (count > 1 ? `${count} ${label}` : label));
  return parts.join(", ") || "nothing found";
}

function bar(name, score) {
  const item = document.createElement("li");
  const label = Object.assign(document.createElement("span"), { className: "name", textContent: name });
  const value = Object.assign(document.createElement("span"), { className: "score", textContent: `${(100 * score).toFixed(1)} %` });
  const length = Object.assign(document.createElement("progress"), { value: score, max: 1 });
  length.setAttribute("aria-label", name);
  item.append(label, value, length);
  return item;
}

const SIDE = 1200; // pixels of a picture's longer side on the page
async function draw(canvas, photo, boxes) {
  const image = await createImageBitmap(photo).catch(() => null);
  if (!image) { canvas.hidden = true; return; } // TIFF and the like, which browsers do not show
  const scale = Math.min(1, SIDE / Math.max(image.width, image.height));
  canvas.width = Math.round(image.width * scale);
  canvas.height = Math.round(image.height * scale);
  const pen = canvas.getContext("2d");
  pen.drawImage(image, 0, 0, canvas.width, canvas.height);
  const unit = Math.max(canvas.width, canvas.height) / 400;
  pen.lineWidth = 2 * unit;
  pen.font = `600 ${13 * unit}px system-ui, sans-serif`;
  pen.textBaseline = "top";
  for (const { label, score, box } of boxes) {
    const [x, y, width, height] = box.map((value) => value * scale);
    const text = `${label} ${(100 * score).toFixed(0)} %`;
    pen.strokeStyle = pen.fillStyle = "#ffd33d";
    pen.strokeRect(x, y, width, height);
    const top = Math.max(0, y - 17 * unit);
    pen.fillRect(x, top, pen.measureText(text).width + 8 * unit, 17 * unit);
    pen.fillStyle = "#1b1f24";
    pen.fillText(text, x + 4 * unit, top + 2 * unit);
  }
}

function asCsv() {
  const cell = (value) => (/[",\n\r]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : value);
  const rows = [["file", "label", "score", "x", "y", "w", "h"]];
  for (const { name, record } of answered) {
    for (const { label, score, box = [] } of rowsOf(record)) rows.push([name, label, score, ...box]);
  }
  return rows.map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

function download() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([asCsv()], { type: "text/csv" }));
  link.download = "answers.csv";
  link.click();
  URL.revokeObjectURL(link.href);
}

let stream = null;
async function openCamera() {
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch {
    say("There is no camera that this page may use.", true);
    return;
  }
  at("viewer").hidden = false;
  at("video").srcObject = stream;
  await at("video").play();
  at("shoot").focus();
}

function closeCamera() {
  stream?.getTracks().forEach((track) => track.stop());
  at("viewer").hidden = true;
  at("camera").focus();
}

function shoot() {
  const video = at("video");
  const canvas = Object.assign(document.createElement("canvas"), { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  const name = `camera-${new Date().toISOString().slice(0, 19).replaceAll(":", "")}.jpg`;
  canvas.toBlob((blob) => ask([new File([blob], name, { type: blob.type })]), "image/jpeg", 0.95);
}

at("files").addEventListener("change", (event) => { ask([...event.target.files]); event.target.value = ""; });
document.addEventListener("paste", (event) => { const files = [...event.clipboardData.files]; if (files.length) ask(files); });
for (const name of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    at("drop").classList.toggle("over", name === "dragover");
    if (name === "drop" && event.dataTransfer.files.length) ask([...event.dataTransfer.files]);
  });
}
at("camera").hidden = !navigator.mediaDevices;
at("camera").addEventListener("click", openCamera);
at("close").addEventListener("click", closeCamera);
at("shoot").addEventListener("click", shoot);
at("retry").addEventListener("click", async () => { await loadModels(); if (waiting.length) ask(waiting); });
at("csv").addEventListener("click", download);
at("clear").addEventListener("click", () => { answered.length = 0; at("answers").replaceChildren(); at("table").hidden = true; say(""); });
loadModels();
