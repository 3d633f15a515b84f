"""Clients that others wrote, against the real server: the official MCP SDK, the official openai client, and the parser of
prometheus_client. Needs the packages of requirements.txt: `make test-clients` sets them up.
"""
import asyncio
import json
import pathlib
import sys
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))

import openai
from harness import BINARY, LIMIT_S, MODEL_NAME, PythiaTest, main, subprocess
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from prometheus_client.parser import text_string_to_metric_families


class Clients(PythiaTest):
    def setUp(self):
        super().setUp()
        self.make_tree()
        self.index()
        self.server = subprocess.Popen([BINARY, "serve", "--http", "127.0.0.1:0", "--log", "none"], cwd=self.dir, env=self.env,
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.addCleanup(self.stop)
        self.url = json.loads(self.server.stdout.readline())["http"]

    def stop(self):
        self.server.kill()
        self.server.wait()
        self.server.stdout.close()

    async def use(self, client, version):
        self.assertEqual(client.session.protocol_version, version)
        tools = (await client.list_tools()).tools
        self.assertEqual([t.name for t in tools], ["search", "read", "index", "status", "embed"])
        found = await client.call_tool("search", {"query": "exponential backoff", "limit": 2})
        self.assertFalse(found.is_error)
        hit = found.structured_content["results"][0]
        self.assertEqual(hit["path"], "src/net/retry.c")
        read = await client.call_tool("read", {"id": hit["id"]})
        self.assertEqual(read.structured_content["results"][0]["content"], hit["content"])
        self.assertTrue((await client.call_tool("search", {"query": ""})).is_error)
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

    def test_openai(self):
        client = openai.OpenAI(base_url=self.url + "/v1", api_key="none", timeout=LIMIT_S)
        made = client.embeddings.create(input=["read it", "soup"], model=MODEL_NAME)
        ours = self.pythia("embed", "-", stdin=b'{"text":"read it"}\n', code=0).json
        for got, want in zip(made.data[0].embedding, ours["embedding"]):
            self.assertAlmostEqual(got, want, places=6)
        self.assertEqual(len(made.data), 2)
        self.assertEqual(len(client.embeddings.create(input="a", model=MODEL_NAME, dimensions=8).data[0].embedding), 8)
        self.assertEqual([m.id for m in client.models.list()], [MODEL_NAME])
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
