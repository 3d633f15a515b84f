// The official TypeScript clients of MCP, against the real server: version 1 of the SDK, which most agents embed, and version 2, of both
// eras. test_clients.py starts the server and says where it is: PYTHIA_URL, PYTHIA_BINARY, PYTHIA_TREE.
import assert from 'node:assert/strict';
import test from 'node:test';

import {Client as Client2, StreamableHTTPClientTransport as Http2} from '@modelcontextprotocol/client';
import {StdioClientTransport as Stdio2} from '@modelcontextprotocol/client/stdio';
import {Client as Client1} from '@modelcontextprotocol/sdk/client/index.js';
import {StdioClientTransport as Stdio1} from '@modelcontextprotocol/sdk/client/stdio.js';
import {StreamableHTTPClientTransport as Http1} from '@modelcontextprotocol/sdk/client/streamableHttp.js';

const {PYTHIA_URL, PYTHIA_BINARY, PYTHIA_TREE} = process.env;
const TOOLS = ['search', 'ask', 'read', 'similar', 'symbols', 'index', 'status', 'embed'];
const WHO = {name: 'pythia-test', version: '1'};
const program = {command: PYTHIA_BINARY, args: ['mcp'], cwd: PYTHIA_TREE, env: process.env};

const doors = {
  stdio: {1: () => new Stdio1(program), 2: () => new Stdio2(program)},
  http: {1: () => new Http1(new URL(PYTHIA_URL + '/mcp')), 2: () => new Http2(new URL(PYTHIA_URL + '/mcp'))},
};
const clients = [
  {name: 'sdk 1', major: 1, make: () => new Client1(WHO), version: '2025-11-25'},
  {name: 'client 2, legacy', major: 2, make: () => new Client2(WHO), version: '2025-11-25'},
  {name: 'client 2, auto', major: 2, make: () => new Client2(WHO, {versionNegotiation: {mode: 'auto'}}), version: '2026-07-28'},
  {name: 'client 2, pinned', major: 2, make: () => new Client2(WHO, {versionNegotiation: {mode: {pin: '2026-07-28'}}}), version: '2026-07-28'},
];

/** Rejects with a JSON-RPC error of this number. */
const rejects = (call, code) => assert.rejects(call, (error) => (assert.equal(error.code, code, String(error)), true));

async function use(client, major, modern) {
  assert.equal(client.getServerVersion()?.name, 'pythia');
  assert.match(client.getInstructions() ?? '', /tree/);
  if (!modern) assert.deepEqual(await client.ping(), {});

  const {tools} = await client.listTools();
  assert.deepEqual(tools.map((tool) => tool.name), TOOLS);
  // Clients check structuredContent by the schema of each tool from here on.
  const found = await client.callTool({name: 'search', arguments: {query: 'exponential backoff', limit: 2}});
  assert.equal(found.isError ?? false, false);
  const [hit] = found.structuredContent.results;
  assert.equal(hit.path, 'src/net/retry.c');
  const read = await client.callTool({name: 'read', arguments: {id: hit.id}});
  assert.equal(read.structuredContent.results[0].content, hit.content);
  for (const [name, args] of [
    ['ask', {question: 'how many sheets does the paper tray take?'}], ['similar', {id: hit.id}], ['symbols', {path: 'src/net/retry.c'}],
    ['status', {}], ['embed', {text: 'a'}],
  ]) {
    const result = await client.callTool({name, arguments: args});
    assert.equal(result.structuredContent.status, 'ok', name);
    assert.deepEqual(JSON.parse(result.content[0].text), result.structuredContent);
  }
  const refused = await client.callTool({name: 'search', arguments: {query: ''}});
  assert.equal(refused.isError, true);
  assert.match(refused.content[0].text, /'query' is empty/);
  await rejects(client.callTool({name: 'nope', arguments: {}}), -32602);
  const news = [], onprogress = (now) => news.push(now.progress);
  const indexing = {name: 'index', arguments: {path: PYTHIA_TREE}};
  const indexed = await (major === 2 ? client.callTool(indexing, {onprogress}) : client.callTool(indexing, undefined, {onprogress}));
  assert.equal(indexed.structuredContent.report.unchanged, 5);
  // How many it hears of is the client's matter: an answer that comes with them may overtake them in it (test_mcp.py counts them).
  assert.deepEqual(news, [...new Set(news)].sort((a, b) => a - b));

  const {resources} = await client.listResources();
  assert.deepEqual(resources.map((resource) => resource.uri), ['pythia://status']);
  const {resourceTemplates} = await client.listResourceTemplates();
  assert.equal(resourceTemplates.length, 1);
  assert.match((await client.readResource({uri: 'pythia://tree/docs/soup.txt'})).contents[0].text, /Tomato/);
  // Version 2 tells of the handshake's -32002 as of what became of it.
  await rejects(client.readResource({uri: 'pythia://tree/../none'}), major === 2 ? -32602 : -32002);

  const {prompts} = await client.listPrompts();
  assert.deepEqual(prompts.map((prompt) => prompt.name), ['explore', 'answer_with_sources']);
  const prompt = await client.getPrompt({name: 'explore', arguments: {topic: 'locks'}});
  assert.match(prompt.messages[0].content.text, /locks/);
  const {completion} = await client.complete({
    ref: {type: 'ref/resource', uri: 'pythia://{collection}/{+path}'}, argument: {name: 'collection', value: 't'},
  });
  assert.deepEqual(completion.values, ['tree']);
}

for (const [door, transports] of Object.entries(doors)) {
  for (const {name, major, make, version} of clients) {
    test(`${name}, over ${door}`, {timeout: 240000}, async () => {
      const client = make(), transport = transports[major]();
      await client.connect(transport);
      try {
        // Version 1 tells what was agreed on to its transport alone.
        if (major === 2) assert.equal(client.getNegotiatedProtocolVersion(), version);
        await use(client, major, version === '2026-07-28');
      } finally {
        await client.close();
      }
    });
  }
}
