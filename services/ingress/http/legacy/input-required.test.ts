import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isJsonObject, type JsonObject } from '../../../../shared/mcp/json.ts';
import type { AgentReply, AgentRequest } from '../../request.ts';
import { openSession, post, request, stream } from './testing/raw-agent.ts';
import { inputRequired, startTwoIngresses, text } from './testing/two-ingresses.ts';

const form = { method: 'elicitation/create', params: { message: 'Sure?' } };
const url = { method: 'elicitation/create', params: { mode: 'url', url: 'https://example.com', message: 'Go' } };
const sampling = { method: 'sampling/createMessage', params: { messages: [] } };

/** Calls with agent capabilities while every question is answered by `reply`; all messages that came, the answer last. */
async function converse(
  handle: (request: AgentRequest) => Promise<AgentReply>,
  capabilities: JsonObject,
  reply: (question: JsonObject) => JsonObject,
  method = 'tools/call',
): Promise<JsonObject[]> {
  await using cluster = await startTwoIngresses(handle);
  const { headers } = await openSession(cluster.a, { capabilities });
  const events = await stream(cluster.a, '/mcp', headers, request(1, method, { name: 'x', uri: 'demo://x' }));
  const answered = new Set<unknown>();
  const isQuestion = (event: unknown): event is JsonObject =>
    isJsonObject(event) && typeof event['id'] === 'string' && typeof event['method'] === 'string';
  const answerNext = async (): Promise<void> => {
    const question = await events.next((event) => isQuestion(event) && !answered.has(event['id']));
    answered.add(question['id']);
    await post(cluster.b, { jsonrpc: '2.0', id: question['id'], ...reply(question) }, headers);
    return answerNext();
  };
  void answerNext();
  await events.ended;
  return events.events.filter(isJsonObject);
}

/** Asks until the agent has answered `rounds` times, and says with what. */
function asks(inputRequests: JsonObject, rounds = 1) {
  const seen: unknown[] = [];
  return async ({ params }: AgentRequest): Promise<AgentReply> => {
    if (params['inputResponses'] !== undefined) seen.push(params['inputResponses']);
    if (seen.length >= rounds) return text(JSON.stringify(seen));
    return inputRequired({ inputRequests, requestState: `round ${seen.length}` });
  };
}

const accept = () => ({ result: { action: 'accept' } });
const refuse = () => ({ error: { code: -1, message: 'no' } });
const resultOf = (messages: JsonObject[]) => messages.at(-1)?.['result'];

test('input required - goes on for several rounds with all questions of each', async () => {
  const messages = await converse(asks({ a: form, b: form }, 3), { elicitation: {} }, accept);
  assert.equal(messages.filter(({ method }) => method === 'elicitation/create').length, 6);
  const round = { a: { action: 'accept' }, b: { action: 'accept' } };
  assert.deepEqual(resultOf(messages), { content: [{ type: 'text', text: JSON.stringify([round, round, round]) }] });
});

test('input required - ends as a failed tool when the server never stops asking', async () => {
  const messages = await converse(asks({ a: form }, 99), { elicitation: {} }, accept);
  assert.equal(messages.length, 11);
  assert.match(JSON.stringify(resultOf(messages)), /10 times.*"isError":true/);
});

test('input required - takes an error of the agent as a cancelled elicitation, and as failure otherwise', async () => {
  const cancelled = await converse(asks({ a: form }), { elicitation: {} }, refuse);
  assert.deepEqual(resultOf(cancelled), { content: [{ type: 'text', text: '[{"a":{"action":"cancel"}}]' }] });
  const failed = await converse(asks({ a: sampling }), { sampling: {} }, refuse);
  assert.match(JSON.stringify(resultOf(failed)), /refused sampling\/createMessage \(code -1\).*"isError":true/);
});

test('input required - withdraws the other questions when one fails', async () => {
  const reply = (question: JsonObject) => (question['method'] === 'sampling/createMessage' ? refuse() : {});
  const messages = await converse(asks({ a: form, b: sampling }), { sampling: {}, elicitation: {} }, reply);
  const question = messages.find(({ method }) => method === 'elicitation/create');
  const withdrawn = messages.find(({ method }) => method === 'notifications/cancelled');
  assert.ok(isJsonObject(withdrawn?.['params']));
  assert.equal(withdrawn['params']['requestId'], question?.['id']);
});

test('input required - gives a URL elicitation the id that older revisions need', async () => {
  const messages = await converse(asks({ a: url }), { elicitation: { url: {} } }, accept);
  assert.ok(isJsonObject(messages[0]?.['params']));
  const { elicitationId, ...rest } = messages[0]['params'];
  assert.match(String(elicitationId), /^[0-9a-f-]{36}$/);
  assert.deepEqual(rest, url.params);
});

const undeclared: readonly (readonly [string, JsonObject, JsonObject])[] = [
  ['elicitation', form, { sampling: {}, roots: {} }],
  ['URL elicitation', url, { elicitation: {} }],
  ['form elicitation', form, { elicitation: { url: {} } }],
  ['sampling with tools', { ...sampling, params: { tools: [] } }, { sampling: {} }],
  ['roots', { method: 'roots/list' }, {}],
  ['vendor input', { method: 'agent/selfDestruct' }, { elicitation: {} }],
];
for (const [kind, question, capabilities] of undeclared) {
  test(`input required - asks for no ${kind} that the agent did not declare`, async () => {
    await using cluster = await startTwoIngresses(asks({ a: question }));
    const { headers } = await openSession(cluster.a, { capabilities });
    const tool = await post(cluster.a, request(1, 'tools/call', { name: 'x' }), headers);
    assert.match(tool.text, /did not declare.*"isError":true/);
    const resource = await post(cluster.a, request(2, 'resources/read', { uri: 'demo://x' }), headers);
    assert.match(resource.text, /"error":\{"code":-32602,/);
  });
}

test('input required - fails the call when the server breaks the form', async () => {
  for (const broken of [
    {},
    { inputRequests: { a: 1 } },
    { inputRequests: { a: { method: 'roots/list', params: [] } } },
  ]) {
    const messages = await answerTo(inputRequired(broken));
    assert.match(messages, /"isError":true/);
  }
  assert.match(await answerTo({ kind: 'result', resultType: 'input_required', body: 'null' }), /"isError":true/);
});

async function answerTo(reply: AgentReply): Promise<string> {
  await using cluster = await startTwoIngresses(async () => reply);
  const { headers } = await openSession(cluster.a, { capabilities: { roots: {} } });
  return (await post(cluster.a, request(1, 'tools/call', { name: 'x' }), headers)).text;
}
