import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, realpath, rm, symlink } from "node:fs/promises";
import { type Server, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";

import { Pythia, PythiaError } from "../src/pythia.js";

const LIMIT_MS = 240_000;
const BINARY = process.env["PYTHIA_BINARY"] ?? "";
const MODEL = process.env["PYTHIA_TEST_MODEL"] ?? "";
const SOUP_AND_LAMP = [
  { id: "soup", title: "Soup", text: "Simmer ripe tomatoes with basil for twenty minutes." },
  { id: "lamp", text: "The keeper lights the lamp of the lighthouse at dusk." },
];

async function folder(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "pythia-test-"));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

/** A data folder with the model in it. */
async function home(t: TestContext): Promise<string> {
  assert.ok(existsSync(BINARY) && existsSync(MODEL), "PYTHIA_BINARY and PYTHIA_TEST_MODEL name no files; run: make test");
  const dir = await folder(t);
  await mkdir(join(dir, "models"));
  await symlink(await realpath(MODEL), join(dir, "models", "all-minilm-l6-v2.gguf"));
  return dir;
}

async function start(t: TestContext): Promise<Pythia> {
  const pythia = await Pythia.start({ binary: BINARY, home: await home(t), timeout: LIMIT_MS });
  t.after(() => pythia.stop());
  return pythia;
}

const tells = (code: string, part = "") => (error: unknown) => {
  assert.ok(error instanceof PythiaError, String(error));
  assert.equal(error.code, code);
  assert.ok(error.message.includes(part), error.message);
  return true;
};

test("documents are put and found", async (t) => {
  const pythia = await start(t);
  assert.equal((await pythia.health()).status, "ok");
  assert.equal((await pythia.addDocuments(SOUP_AND_LAMP)).documents, 2);
  const found = await pythia.search("who lights the lamp", { limit: 1 });
  assert.deepEqual(found.results.map((hit) => hit.path), ["lamp"]);
  await pythia.addDocuments([{ text: "Nobody." }], "other");
  const elsewhere = await pythia.search("tomatoes", { mode: "lexical", collections: ["other"] });
  assert.deepEqual(elsewhere.results, []);
  const answer = await pythia.ask("How long does the soup simmer?", { abstain: 0 });
  assert.match(answer.answer ?? "", /twenty minutes/);
  const vectors = await pythia.embed(["a", "b"], { kind: "query" });
  assert.deepEqual(vectors.map((v) => v.length), [384, 384]);
  const all = (await pythia.call("collections")) as { collections: { name: string }[] };
  assert.deepEqual(all.collections.map((c) => c.name).sort(), ["documents", "other"]);
});

test("many calls share a connection", async (t) => {
  const pythia = await start(t);
  await pythia.addDocuments(SOUP_AND_LAMP);
  const calls = Array.from({ length: 60 }, (_, i) => pythia.search(i % 2 ? "lamp" : "tomatoes", { mode: "lexical" }));
  for (const [i, reply] of (await Promise.all(calls)).entries()) assert.equal(reply.results[0]?.path, i % 2 ? "lamp" : "soup");
});

test("errors are told", async (t) => {
  const pythia = await start(t);
  await pythia.addDocuments(SOUP_AND_LAMP);
  await assert.rejects(pythia.search(""), tells("usage", "'query'"));
  await assert.rejects(pythia.search("a", { collections: ["nowhere"] }), tells("no_collection", "nowhere"));
  await assert.rejects(pythia.call("search", { query: "a", nonsense: 1 }), tells("usage", "unknown field 'nonsense'"));
  await assert.rejects(pythia.call("nonsense"), tells("usage", "unknown method 'nonsense'"));
  await assert.rejects(pythia.call("health", { x: "y".repeat(65 << 20) }), tells("limit", "at most"));
  assert.equal((await pythia.health()).status, "ok");
});

test("a server that cannot start says why", async (t) => {
  const dir = await home(t);
  await assert.rejects(Pythia.start({ binary: BINARY, home: dir, args: ["--http", "nonsense"] }), tells("start", "nonsense"));
  await assert.rejects(Pythia.start({ binary: "/nowhere/pythia" }), tells("start", "/nowhere/pythia"));
  await assert.rejects(Pythia.start({ binary: "/bin/true" }), tells("start", "exit code 0"));
  await assert.rejects(Pythia.connect("/nowhere/socket"), tells("closed", "no server at '/nowhere/socket'"));
});

test("stop ends the server", async (t) => {
  const pythia = await start(t);
  await pythia.stop();
  await assert.rejects(pythia.health(), tells("closed"));
});

/** Connected to a server that answers the first call with these bytes. */
async function liar(t: TestContext, data: Buffer): Promise<Pythia> {
  const path = join(await folder(t), "liar");
  const server: Server = createServer((socket) => {
    socket.once("data", () => socket.write(data));
    socket.on("error", () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const pythia = await Pythia.connect(path, LIMIT_MS);
  t.after(() => {
    pythia.close();
    server.close();
  });
  return pythia;
}

const frame = (text: string) => Buffer.concat([Buffer.from([0, 0, 0, text.length]), Buffer.from(text)]);

test("a server that lies is not believed", async (t) => {
  for (const [data, code] of [
    [Buffer.from([255, 255, 255, 255]), "closed"],
    [frame("{"), "closed"],
    [frame("[]"), "closed"],
    [frame("null"), "closed"],
    [frame('{"id":1}'), "unknown"],
    [frame('{"id":1,"error":7}'), "unknown"],
  ] as const)
    await assert.rejects((await liar(t, data)).health(), tells(code));
});

test("frames in pieces are one", async (t) => {
  const path = join(await folder(t), "slow");
  const server = createServer((socket) => {
    socket.once("data", async () => {
      for (const byte of frame('{"id":1,"result":{"status":"ok"}}')) {
        socket.write(Buffer.from([byte]));
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const pythia = await Pythia.connect(path, LIMIT_MS);
  assert.equal((await pythia.health()).status, "ok");
  pythia.close();
  server.close();
});

test("who is not answered in time hears of it", async (t) => {
  await assert.rejects((await liar(t, Buffer.alloc(0))).call("health", {}, 50), tells("timeout", "within 50 ms"));
});
