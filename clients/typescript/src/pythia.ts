/**
 * Pythia from TypeScript and JavaScript: search and answers from your own code and documents, over the Unix socket of
 * `pythia serve`.
 *
 *     const pythia = await Pythia.start();
 *     await pythia.addDocuments([{ id: "soup", text: "Simmer ripe tomatoes with basil." }]);
 *     for (const hit of (await pythia.search("what to cook", { limit: 3 })).results) console.log(hit.path, hit.score);
 *     await pythia.stop();
 *
 * The protocol: 4 bytes of length, big-endian, then JSON, both ways. Calls are under way at once on the one connection. Only
 * node's own modules are used.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { type Socket, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const FRAME_MAX = 64 << 20; // bytes of a message; the server's limit, too
const START_MS = 60_000;
const STOP_MS = 15_000; // the server gives calls that are under way 8 s
const LOG_KEPT = 4096; // last characters of what the server logs, for an error at its start

/** What went wrong: a code for programs ("usage", "no_collection", "closed", "timeout" …), and the command that mends it. */
export class PythiaError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly fix: string | null = null,
  ) {
    super(message);
    this.name = "PythiaError";
  }
}

export interface Health {
  status: string;
  version: string;
  uptime_s: number;
}

/** A text to be found. The same id again replaces one; without an id it is known by its content. */
export interface Document {
  id?: string;
  title?: string;
  text: string;
}

export interface Hit {
  id: string;
  uri: string;
  path: string;
  collection: string;
  start_line: number | null;
  end_line: number | null;
  page: number | null;
  symbol: string | null;
  kind: string | null;
  lang: string | null;
  heading: string | null;
  title?: string;
  /** what the document says of itself: author, created, modified, keywords … */
  metadata?: Record<string, string>;
  /** 0 to 1 */
  score: number;
  freshness: "fresh" | "moved" | "changed" | "gone";
  content: string;
  /** other places of the same text, or of one that is nearly the same; likeness 0.8 to 1 */
  copies?: Copy[];
  /** copies that are not listed */
  more_copies?: number;
  explain?: Record<string, unknown>;
}

export interface Copy {
  id: string;
  uri: string;
  path: string;
  collection: string;
  start_line: number | null;
  end_line: number | null;
  likeness: number;
}

export interface SearchOptions {
  limit?: number;
  mode?: "hybrid" | "semantic" | "lexical" | "symbol" | "regex";
  min_score?: number;
  collections?: string[];
  path?: string[];
  lang?: string[];
  filters?: {
    path?: string[];
    glob?: string[];
    lang?: string[];
    kind?: string[];
    since?: string;
    until?: string;
    metadata?: Record<string, string | string[]>;
  };
  explain?: boolean;
  /** read the first hits once more with the reranker */
  rerank?: boolean;
  /** false: copies of a hit's text are hits, too */
  collapse?: boolean;
  deadline_ms?: number;
}

export interface Found {
  query: string;
  mode: string;
  results: Hit[];
  total: number;
  has_more: boolean;
  took_ms: number;
}

export interface Answer {
  /** null when abstained */
  answer: string | null;
  abstained: boolean;
  confidence: number;
  citations: { source: number; start_line: number | null; end_line: number | null; quote: string; score: number }[];
  sources: Hit[];
}

export interface StartOptions {
  /** "pythia" unless given */
  binary?: string;
  /** the data folder (PYTHIA_HOME) */
  home?: string;
  /** more flags of `pythia serve` */
  args?: string[];
  /** milliseconds to wait for an answer */
  timeout?: number;
}

interface Waiting {
  resolve(result: unknown): void;
  reject(error: PythiaError): void;
  timer: NodeJS.Timeout;
}

interface Server {
  process: ChildProcess;
  folder: string;
  ended: Promise<number | null>;
}

/** One connection to a server. */
export class Pythia {
  #socket: Socket;
  #timeout: number;
  #last = 0;
  #waiting = new Map<number, Waiting>();
  #broken: PythiaError | null = null;
  #parts: Buffer[] = [];
  #have = 0;
  #server: Server | null = null;

  private constructor(socket: Socket, timeout: number) {
    this.#socket = socket;
    this.#timeout = timeout;
    socket.on("data", (piece) => this.#take(piece));
    socket.on("error", (error) => this.#end(error.message));
    socket.on("close", () => this.#end("the server has ended the connection"));
  }

  // ---- its life ----

  /** A server that runs: `pythia serve --socket PATH`. */
  static connect(path: string, timeout = 60_000): Promise<Pythia> {
    return new Promise((resolve, reject) => {
      const socket = connect(path);
      const failed = (error: Error) =>
        reject(new PythiaError("closed", `no server at '${path}': ${error.message}`, `pythia serve --socket ${path}`));
      socket.once("error", failed);
      socket.once("connect", () => {
        socket.off("error", failed);
        resolve(new Pythia(socket, timeout));
      });
    });
  }

  /** A server of one's own, which stop() ends. */
  static async start(options: StartOptions = {}): Promise<Pythia> {
    const binary = options.binary ?? "pythia";
    const folder = await mkdtemp(join(tmpdir(), "pythia-"));
    const path = join(folder, "s");
    const child = spawn(binary, ["serve", "--socket", path, ...(options.args ?? [])], {
      env: options.home === undefined ? process.env : { ...process.env, PYTHIA_HOME: options.home },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const ended = new Promise<number | null>((resolve) => {
      child.once("close", (code) => resolve(code));
      child.once("error", () => resolve(null));
    });
    try {
      await ready(child, binary);
      const pythia = await Pythia.connect(path, options.timeout);
      pythia.#server = { process: child, folder, ended };
      return pythia;
    } catch (error) {
      child.kill("SIGKILL");
      await ended;
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** Ends the server when start() began it: what is under way is answered first. Then closes the connection. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server) {
      await this.call("shutdown", {}, STOP_MS).catch(() => server.process.kill("SIGTERM"));
      const late = setTimeout(() => server.process.kill("SIGKILL"), STOP_MS);
      await server.ended;
      clearTimeout(late);
      await rm(server.folder, { recursive: true, force: true });
    }
    this.close();
  }

  /** Closes the connection; a server that start() began goes on until stop(). */
  close(): void {
    this.#end("it was closed here");
    this.#socket.destroy();
  }

  // ---- calls ----

  health(): Promise<Health> {
    return this.call("health") as Promise<Health>;
  }

  /** Puts texts into a collection ("documents" unless named); they can be found when it resolves. */
  addDocuments(documents: Document[], collection?: string): Promise<{ documents: number; chunks: number }> {
    const params = collection === undefined ? { documents } : { documents, collection };
    return this.call("index", params) as Promise<{ documents: number; chunks: number }>;
  }

  search(query: string, options: SearchOptions = {}): Promise<Found> {
    return this.call("search", { query, ...options }) as Promise<Found>;
  }

  ask(question: string, options: Record<string, unknown> = {}): Promise<Answer> {
    return this.call("ask", { question, ...options }) as Promise<Answer>;
  }

  /** The vectors of texts, in their order. */
  async embed(texts: string[], options: Record<string, unknown> = {}): Promise<number[][]> {
    return ((await this.call("embed", { texts, ...options })) as { embeddings: number[][] }).embeddings;
  }

  /** Any call by its name, as in REST: call("collections"), call("read", { id: "k3f9a2" }). */
  call(method: string, params: object = {}, timeout = this.#timeout): Promise<unknown> {
    const id = ++this.#last;
    const body = Buffer.from(JSON.stringify({ id, method, params }));
    if (body.length > FRAME_MAX)
      return Promise.reject(
        new PythiaError("limit", `the request has ${body.length} bytes; at most ${FRAME_MAX} are taken`),
      );
    if (this.#broken) return Promise.reject(this.#broken);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new PythiaError("timeout", `'${method}' was not answered within ${timeout} ms`));
      }, timeout);
      this.#waiting.set(id, { resolve, reject, timer });
      const head = Buffer.alloc(4);
      head.writeUInt32BE(body.length);
      this.#socket.cork();
      this.#socket.write(head);
      this.#socket.write(body);
      this.#socket.uncork();
    });
  }

  // ---- frames ----

  #take(piece: Buffer): void {
    this.#parts.push(piece);
    this.#have += piece.length;
    while (!this.#broken && this.#have >= 4) {
      const first = this.#parts[0] as Buffer;
      if (first.length < 4) this.#parts = [Buffer.concat(this.#parts)];
      const size = (this.#parts[0] as Buffer).readUInt32BE(0);
      if (size > FRAME_MAX) return this.#refuse(`the server says that a message has ${size} bytes`);
      if (this.#have - 4 < size) return;
      const all = Buffer.concat(this.#parts);
      this.#parts = [all.subarray(4 + size)];
      this.#have -= 4 + size;
      this.#answer(all.toString("utf8", 4, 4 + size));
    }
  }

  #answer(text: string): void {
    let message: { id?: unknown; result?: unknown; error?: { code?: string; message?: string; fix?: string } };
    try {
      message = JSON.parse(text);
    } catch {
      return this.#refuse("the server sends what is no JSON");
    }
    if (typeof message !== "object" || message === null || typeof message.id !== "number")
      return this.#refuse("the server answers nobody");
    const waiting = this.#waiting.get(message.id);
    if (!waiting) return; // it came too late
    this.#waiting.delete(message.id);
    clearTimeout(waiting.timer);
    if (message.result !== undefined) return waiting.resolve(message.result);
    const { code, message: why, fix } = message.error ?? {};
    waiting.reject(new PythiaError(code ?? "unknown", why ?? "neither a result nor an error", fix ?? null));
  }

  #refuse(why: string): void {
    this.#end(why);
    this.#socket.destroy();
  }

  #end(why: string): void {
    if (this.#broken) return;
    this.#broken = new PythiaError("closed", `the connection is closed: ${why}`);
    for (const waiting of this.#waiting.values()) {
      clearTimeout(waiting.timer);
      waiting.reject(this.#broken);
    }
    this.#waiting.clear();
  }
}

/** Until the server's line that says that calls are accepted. */
function ready(child: ChildProcess, binary: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let out = "";
    let log = "";
    const failed = (why: string) => {
      clearTimeout(late);
      reject(new PythiaError("start", why));
    };
    const late = setTimeout(() => failed(`the server did not start within ${START_MS} ms: ${log}`), START_MS);
    child.once("error", (error) => failed(`cannot run '${binary}': ${error.message}`));
    child.once("close", (code) => failed(`the server did not start: ${log.trim() || `exit code ${code}`}`));
    child.stderr?.on("data", (piece: Buffer) => {
      log = (log + piece.toString()).slice(-LOG_KEPT);
    });
    child.stdout?.on("data", (piece: Buffer) => {
      out = (out + piece.toString()).slice(0, LOG_KEPT);
      if (!/^\{.*"status":\s*"ready".*\}\n/.test(out)) return;
      clearTimeout(late);
      resolve();
    });
  });
}
