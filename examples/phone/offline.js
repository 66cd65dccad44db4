// Keeps the page and its bundle, so that it opens without a network. The network's copy comes first:
// a bundle that was replaced is seen at the next visit.

const KEPT = "osprey-phone";
const FILES = [
  "./",
  "app.js",
  "preprocess.js",
  "style.css",
  "bundle/card.json",
  "bundle/model.onnx",
  "node_modules/onnxruntime-web/dist/ort.wasm.bundle.min.mjs",
  "node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm",
];

addEventListener("install", (event) => {
  event.waitUntil(caches.open(KEPT).then((cache) => cache.addAll(FILES)).then(() => skipWaiting()));
});

addEventListener("activate", (event) => event.waitUntil(clients.claim()));

addEventListener("fetch", (event) => {
  if (event.request.method === "GET") event.respondWith(answer(event.request));
});

async function answer(request) {
  const cache = await caches.open(KEPT);
  let found;
  try {
    found = await fetch(request);
  } catch {
    found = Response.error(); // no network
  }
  if (!found.ok) return (await cache.match(request)) ?? found;
  await cache.put(request, found.clone());
  return found;
}
