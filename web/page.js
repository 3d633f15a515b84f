"use strict";
/* The page of a server. Whatever comes from it, documents above all, is put as text, never as markup. */

const WAIT_MS = 180; // after a key, before a search
const LIMIT = 10, LIMIT_MAX = 200, AROUND = 12, LINES_SHOWN = 8, RETRIES = 60;
const PROSE = new Set(["", "text", "markdown", "html", "rst", "pdf", "docx", "odt", "epub", "rtf", "email", "pptx"]);

const $ = (id) => document.getElementById(id);
const query = $("query"), mode = $("mode"), collection = $("collection"), list = $("hits");
let limit = LIMIT, timer = 0, current = null, asked = false;

/* An element with a class and texts or elements in it. */
function element(name, kind, ...inside) {
  const e = document.createElement(name);
  if (kind) e.className = kind;
  e.append(...inside.filter((x) => x !== null && x !== ""));
  return e;
}

const count = (n, one, many) => n.toLocaleString("en") + " " + (n === 1 ? one : many || one + "s");

function say(text, wrong) {
  list.ariaBusy = "false";
  $("status").textContent = text;
  $("status").classList.toggle("wrong", Boolean(wrong));
}

/* ---- asking the server ---- */

class Refusal extends Error {}

function headers(json) {
  const token = sessionStorage.getItem("token");
  return { ...(json ? { "Content-Type": "application/json" } : {}), ...(token ? { Authorization: "Bearer " + token } : {}) };
}

const pause = (ms, signal) => new Promise((go, stop) => {
  const t = setTimeout(go, ms);
  if (signal) signal.addEventListener("abort", () => { clearTimeout(t); stop(new DOMException("", "AbortError")); }, { once: true });
});

/* The token, once somebody has given one; those who wait meanwhile get the same. */
let door = null;
function tokenWanted(again) {
  if (door) return door;
  $("door-why").textContent = again ? "That token is not valid." :
    "It is made by “pythia token create NAME”, and kept here until this tab is closed.";
  $("token").value = "";
  $("door").showModal();
  door = new Promise((go) => {
    $("token-form").onsubmit = (event) => {
      event.preventDefault();
      sessionStorage.setItem("token", $("token").value.trim());
      $("door").close();
      door = null;
      go();
    };
  });
  return door;
}
$("door").addEventListener("cancel", (event) => event.preventDefault());

/* A reply that says 200; waits while the model loads or too much is asked at once, and for a token where one is needed. */
async function call(path, body, signal) {
  for (let tries = 0; ; tries++) {
    const sent = sessionStorage.getItem("token");
    let reply;
    try {
      reply = await fetch(path, { method: body ? "POST" : "GET", headers: headers(body), body: body ? JSON.stringify(body) : undefined, signal });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Refusal("The server does not answer. Is it still running?");
    }
    if (reply.ok) return reply;
    const told = await reply.json().catch(() => ({}));
    const error = told.error || {};
    if (reply.status === 401) {
      if (sent === sessionStorage.getItem("token")) await tokenWanted(Boolean(sent));
      continue;
    }
    if ((reply.status === 503 || reply.status === 429) && tries < RETRIES) {
      say(error.code === "loading" ? "The model is being loaded…" : "The server is busy; waiting…");
      await pause(1000 * Math.min(Number(reply.headers.get("Retry-After")) || 1, 10), signal);
      continue;
    }
    throw new Refusal((error.message || "The server answers " + reply.status) + (error.fix ? " (" + error.fix + ")" : ""));
  }
}

/* One request at a time: a newer one takes the older one back. */
function begin() {
  if (current) current.abort();
  current = new AbortController();
  return current.signal;
}

const narrowed = () => (collection.value ? { collections: [collection.value] } : {});

/* ---- words ---- */

/* What to mark: words of the query, without operators and what is not wanted. */
function wordsOf(text) {
  if (mode.value === "regex") return null;
  const plain = text.replace(/(^|\s)(-\S+|(lang|path|file|kind|in|author|meta|date)[:>=<]\S*)/g, " ").replace(/\bsym:/g, " ");
  const small = new Set(["the", "and", "for", "are", "how", "what", "who", "does", "is", "of", "in", "to", "a", "an", "it", "do", "on", "or", "by"]);
  const words = (plain.match(/[\p{L}\p{N}_]+/gu) || []).filter((w) => w.length > 1 && !small.has(w.toLowerCase())).slice(0, 24);
  return words.length ? new RegExp("(" + words.sort((a, b) => b.length - a.length).join("|") + ")", "giu") : null;
}

function marked(text, words) {
  if (!words) return [text];
  return text.split(words).map((part, i) => (i % 2 ? element("mark", "", part) : part)).filter((part) => part !== "");
}

/* ---- hits ---- */

function linesShown(content, first, words, own, quoted) {
  const lines = content.replace(/\n$/, "").split("\n");
  const box = element("div", "lines");
  lines.forEach((line, i) => {
    const at = first + i;
    const kind = (own && (at < own.start || at > own.end) ? "around " : "") + (quoted.some((q) => at >= q.start && at <= q.end) ? "quoted" : "");
    box.append(element("div", kind.trim(), element("span", "at", first ? String(at) : ""), element("span", "what", ...marked(line, words))));
  });
  return box;
}

/* The part of a chunk to be shown first: where most words of the query stand, or what is quoted. */
function bestLines(hit, words, quoted) {
  const lines = hit.content.split("\n");
  if (lines.length <= LINES_SHOWN + 2) return { content: hit.content, first: hit.start_line };
  let from = 0, best = -1;
  if (quoted.length) {
    from = Math.max(0, quoted[0].start - hit.start_line - 1);
  } else if (words) {
    const found = lines.map((line) => new Set((line.match(words) || []).map((w) => w.toLowerCase())).size);
    for (let i = 0; i + LINES_SHOWN <= lines.length; i++) {
      const sum = found.slice(i, i + LINES_SHOWN).reduce((a, b) => a + b, 0);
      if (sum > best) [from, best] = [i, sum];
    }
  }
  from = Math.min(from, lines.length - LINES_SHOWN);
  return { content: lines.slice(from, from + LINES_SHOWN).join("\n"), first: hit.start_line ? hit.start_line + from : 0 };
}

/* The hit with what stands around it, out of its file as it is now. */
async function neighbours(hit) {
  if (!hit.start_line) return { content: hit.content, first: 0 };
  const first = Math.max(1, hit.start_line - AROUND), lines = hit.end_line - first + 1 + AROUND;
  try {
    const reply = await call("/v1/read", { path: hit.path, collection: hit.collection, start_line: first, lines });
    const text = (await reply.json()).results[0];
    return { content: text.content, first: text.start_line };
  } catch {
    return { content: hit.content, first: hit.start_line };
  }
}

function placeOf(hit) {
  if (hit.page) return hit.path + ", page " + hit.page;
  if (!hit.start_line) return hit.path;
  return hit.path + ":" + hit.start_line + (hit.end_line > hit.start_line ? "-" + hit.end_line : "");
}

function notesOf(hit) {
  const copies = hit.copies ? hit.copies.length + (hit.more_copies || 0) : 0;
  return [collection.value || collection.options.length < 3 ? "" : hit.collection, hit.symbol || hit.heading || "", hit.kind || "",
    copies ? count(copies, "copy", "copies") + " elsewhere" : ""].filter(Boolean).join(" · ");
}

function hitShown(hit, words, number, quoted) {
  const button = element("button", "place",
    number ? element("span", "number", "[" + number + "]") : null,
    element("span", "path", ...marked(placeOf(hit), words)),
    element("span", "note", notesOf(hit)),
    hit.freshness && hit.freshness !== "fresh" ? element("span", "warn", hit.freshness === "moved" ? "moved since it was indexed" :
      hit.freshness === "gone" ? "the file is gone" : "changed since it was indexed") : null,
    element("span", "score", number ? "" : Math.round(100 * hit.score) + " %"));
  const item = element("li", "hit", button);
  const short = bestLines(hit, words, quoted);
  let open = false;
  button.type = "button";
  button.setAttribute("aria-expanded", "false");
  if (!number) button.querySelector(".score").title = "score " + hit.score.toFixed(3);
  const show = (part, own) => {
    if (item.lastChild !== button) item.lastChild.remove();
    item.append(linesShown(part.content, part.first, words, own, quoted));
  };
  button.addEventListener("click", async () => {
    open = !open;
    button.setAttribute("aria-expanded", String(open));
    item.classList.toggle("shown", open);
    if (!open) return show(short, null);
    const whole = await neighbours(hit);
    if (open) show(whole, { start: hit.start_line, end: hit.end_line });
  });
  if (number) item.id = "source-" + number;
  show(short, null);
  return item;
}

function clear() {
  list.replaceChildren();
  $("more").hidden = $("heading").hidden = $("answer").hidden = true;
}

/* ---- searching ---- */

function coverageOf(c) {
  const parts = [];
  if (c.pending) parts.push(count(c.pending, "file") + " still to be embedded");
  if (c.skimmed) parts.push(count(c.skimmed, "file") + " skimmed so far");
  if (c.stale) parts.push(count(c.stale, "hit") + " out of date");
  return parts.length ? " · " + parts.join(", ") : "";
}

async function search() {
  const text = query.value.trim(), words = wordsOf(text);
  asked = false;
  remember();
  const signal = begin();
  if (!text) {
    clear();
    return say("");
  }
  list.ariaBusy = "true"; // what is shown is of the search before
  try {
    const reply = await (await call("/v1/search", { query: text, mode: mode.value, limit, ...narrowed() }, signal)).json();
    clear();
    list.replaceChildren(...reply.results.map((hit) => hitShown(hit, words, 0, [])));
    const few = reply.results.length < reply.total ? reply.results.length + " of " : "";
    say((reply.total ? few + count(reply.total, "hit") : "Nothing found") + " · " + Math.max(1, Math.round(reply.took_ms)) + " ms" +
      coverageOf(reply.coverage) + (reply.deadline_hit ? " · cut short by the deadline" : ""));
    $("more").hidden = !reply.has_more || limit >= LIMIT_MAX;
  } catch (error) {
    failed(error);
  }
}

function failed(error) {
  if (error.name === "AbortError") return;
  if (!asked) clear();
  say(error instanceof Refusal ? error.message : "This page failed: " + error.message, true);
}

/* ---- asking ---- */

/* Events of a reply as they come: [name, data]. */
async function* eventsOf(reply) {
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "", name = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    held += value;
    const lines = held.split("\n");
    held = lines.pop();
    for (const line of lines) {
      if (line.startsWith("event: ")) name = line.slice(7);
      else if (line.startsWith("data: ")) yield [name, JSON.parse(line.slice(6))];
    }
  }
}

/* Marks of sources become links to them. */
function textAdd(text, sources) {
  const parts = text.split(/((?:^|(?<=[\s\]]))\[\d+\])/);
  for (const part of parts) {
    const number = /^\[(\d+)\]$/.test(part) ? Number(part.slice(1, -1)) : 0;
    if (number < 1 || number > sources) {
      $("text").append(part);
      continue;
    }
    const link = element("a", "", part);
    link.href = "#source-" + number;
    link.setAttribute("aria-label", "source " + number);
    link.addEventListener("click", (event) => {
      event.preventDefault();
      const item = $("source-" + number);
      if (item) jump(item);
    });
    $("text").append(link);
  }
}

function jump(item) {
  item.scrollIntoView({ block: "nearest" });
  item.firstChild.focus({ preventScroll: true });
}

function sourcesShown(sources, citations, words, heading) {
  const quoted = (n) => citations.filter((c) => c.source === n && c.start_line).map((c) => ({ start: c.start_line, end: c.end_line }));
  list.replaceChildren(...sources.map((hit, i) => hitShown(hit, words, i + 1, quoted(i + 1))));
  $("heading").textContent = heading;
  $("heading").hidden = !sources.length;
}

async function ask() {
  const text = query.value.trim(), words = wordsOf(text);
  if (!text) return query.focus();
  clearTimeout(timer);
  asked = true;
  remember();
  const signal = begin();
  clear();
  say("Reading…");
  $("text").replaceChildren();
  $("text").className = $("about").textContent = $("verdict").textContent = "";
  try {
    const kind = ["hybrid", "semantic", "lexical"].includes(mode.value) ? { mode: mode.value } : {};
    const reply = await call("/v1/ask", { question: text, stream: true, ...kind, ...narrowed() }, signal);
    let sources = [], over = false;
    for await (const [name, data] of eventsOf(reply)) {
      if (signal.aborted) return;
      if (name === "sources") {
        sources = data.sources;
        $("answer").hidden = false;
        $("verdict").textContent = "Answer";
        sourcesShown(sources, [], words, "Sources");
        say("Writing…");
      } else if (name === "delta") {
        $("text").classList.toggle("code", sources.length > 0 && sources.every((s) => !PROSE.has(s.lang || "")));
        textAdd(data.text, sources.length);
      } else if (name === "error") {
        throw new Refusal(data.error.message);
      } else if (name === "done") {
        over = true;
        answered(data, words);
      }
    }
    if (!over) throw new Refusal("The answer was cut off: the server ended before it did.");
  } catch (error) {
    failed(error);
  }
}

function answered(r, words) {
  $("answer").hidden = false;
  $("verdict").textContent = r.abstained ? "The sources do not answer this" : "Answer";
  if (r.abstained) $("text").replaceChildren();
  sourcesShown(r.sources || [], r.citations || [], words, r.abstained ? "What came nearest" : "Sources");
  const by = r.writer === "extractive" ? "quoted word for word" : "written by " + (r.model || r.writer) + ", each sentence checked against its source";
  const left = (r.refused || []).length;
  $("about").textContent = "Confidence " + Math.round(100 * r.confidence) + " %" + (r.abstained ? "" : " · " + by) +
    (left ? " · " + count(left, "sentence") + " left out that stand in no source" : "");
  say((r.abstained ? "No answer" : "Answered") + " · " + Math.max(1, Math.round(r.took_ms)) + " ms");
}

/* ---- keys ---- */

const places = () => [...list.querySelectorAll(".place")];

function move(step) {
  const all = places(), at = all.indexOf(document.activeElement);
  if (!all.length) return;
  if (at + step < 0) return query.focus();
  const next = all[Math.min(at + step, all.length - 1)];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  const at = document.activeElement;
  if ($("door").open || event.isComposing || event.altKey || event.metaKey) return;
  if (event.key === "/" && !event.ctrlKey && at !== query) query.focus(), query.select();
  else if (event.key === "ArrowDown" && (at === query || at.className === "place")) move(1);
  else if (event.key === "ArrowUp" && at.className === "place") move(-1);
  else if (event.key === "Enter" && event.ctrlKey && at === query) ask();
  else if (event.key === "Escape" && at !== query) query.focus();
  else return;
  event.preventDefault();
});

/* ---- the rest ---- */

/* What is asked stands behind the # of the address: it can be kept, and never leaves for a server's log. */
function remember() {
  const kept = new URLSearchParams();
  if (query.value) kept.set("q", query.value);
  if (mode.value !== "hybrid") kept.set("by", mode.value);
  if (collection.value) kept.set("in", collection.value);
  if (asked) kept.set("ask", "1");
  history.replaceState(null, "", kept.size ? "#" + kept : location.pathname);
}

async function health() {
  try {
    const status = await (await call("/v1/status")).json();
    const all = status.collections, sum = (key) => all.reduce((n, c) => n + c[key], 0);
    const chunks = sum("chunks"), chosen = collection.value;
    const made = chunks ? Math.floor((100 * sum("embedded")) / chunks) : 100;
    $("health").textContent = (status.model.state === "ready" ? status.model.name : status.model.name + " " + status.model.state) + " · " +
      (all.length ? count(sum("documents"), "document") + ", " + count(chunks, "chunk") + ", " + made + " % with vectors" :
        "nothing is indexed yet: pythia index FOLDER") + " · Pythia " + status.version;
    collection.replaceChildren(new Option("all collections", ""), ...all.map((c) => new Option(c.name, c.name)));
    collection.value = all.some((c) => c.name === chosen) ? chosen : "";
  } catch (error) {
    $("health").textContent = error.message;
  }
}

function soon() {
  clearTimeout(timer);
  limit = LIMIT;
  timer = setTimeout(search, WAIT_MS);
}

function again() {
  limit = LIMIT;
  if (asked) ask();
  else search();
}

query.addEventListener("input", soon);
mode.addEventListener("change", again);
collection.addEventListener("change", again);
$("ask").addEventListener("click", ask);
$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(timer);
  limit = LIMIT;
  search();
});
$("more").addEventListener("click", async () => {
  const n = places().length;
  limit = Math.min(2 * limit, LIMIT_MAX);
  await search();
  if (places()[n]) places()[n].focus();
});

async function start() {
  const kept = new URLSearchParams(location.hash.slice(1) || location.search);
  query.value = kept.get("q") || "";
  if ([...mode.options].some((o) => o.value === kept.get("by"))) mode.value = kept.get("by");
  await health();
  if ([...collection.options].some((o) => o.value === kept.get("in"))) collection.value = kept.get("in");
  asked = kept.get("ask") === "1";
  if (query.value) again();
}
start();
setInterval(() => document.hidden || door || health(), 30000);
