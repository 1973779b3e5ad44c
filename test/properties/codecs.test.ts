import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { wrapOutputSchema, wrapsOutput } from '../../services/ingress/catalog/output-schema.ts';
import { tool } from '../../services/ingress/catalog/testing/fixtures.ts';
import { fulfilInput } from '../../services/ingress/http/legacy/input-required.ts';
import { openEnvelope } from '../../services/ingress/http/modern/envelope.ts';
import { legacyParams } from '../../services/worker/upstreams/legacy-answers.ts';
import { modernParams } from '../../services/worker/upstreams/modern-request.ts';
import { inputRequest, readAnswer } from '../../services/worker/upstreams/questions.ts';
import type { Call } from '../../shared/mcp/call.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../shared/mcp/json.ts';
import { verifies } from '../requirements.ts';
import { type Door, openDoors } from './doors.ts';
import { key, keyHash, startTestGateway, type TestGateway } from './gateway.ts';

/** Members that a hop reads or writes; every other one has to pass. */
const ours = new Set([
  '__proto__',
  '_meta',
  'resultType',
  'ttlMs',
  'cacheScope',
  'structuredContent',
  'isError',
  'inputRequests',
  'inputResponses',
  'requestState',
  'task',
  'taskId',
  'name',
  'uri',
  'ref',
  'arguments',
  'cursor',
  'mode',
  'elicitationId',
  'error',
]);
const json: fc.Arbitrary<JsonValue> = fc
  .jsonValue({ maxDepth: 3 })
  .map((value) => JSON.parse(JSON.stringify(value).replaceAll('"__proto__"', '"proto"')) as JsonValue);
const members: fc.Arbitrary<JsonObject> = fc
  .dictionary(fc.oneof(fc.string(), fc.constantFrom('x-unknown', 'future', '$weird', 'ü')), json, { maxKeys: 5 })
  .map((given) =>
    JSON.parse(JSON.stringify(Object.fromEntries(Object.entries(given).filter(([name]) => !ours.has(name))))),
  );
const meta = fc.dictionary(fc.constantFrom('vendor.example/a', 'trace', 'x'), json, { minKeys: 1, maxKeys: 3 });

/** Every method whose request reaches a server, with what an agent has to say in it. */
const requests: fc.Arbitrary<{ method: string; params: JsonObject }> = fc
  .tuple(
    fc.constantFrom(
      { method: 'tools/call', named: { name: 'demo__echo' } },
      { method: 'prompts/get', named: { name: 'demo__hello' } },
      { method: 'resources/read', named: { uri: 'demo://thing' } },
      { method: 'completion/complete', named: { ref: { type: 'ref/prompt', name: 'demo__hello' } } },
    ),
    members,
    fc.option(members, { nil: undefined }),
    fc.option(meta, { nil: undefined }),
  )
  .map(([{ method, named }, rest, args, _meta]) => {
    const takesArguments = method === 'tools/call' || method === 'prompts/get';
    return {
      method,
      params: {
        ...rest,
        ...named,
        ...(args !== undefined && takesArguments && { arguments: args }),
        ...(_meta !== undefined && { _meta: JSON.parse(JSON.stringify(_meta)) }),
      },
    };
  });

/** The same in the server's own names. */
function inServersNames(params: JsonObject): JsonObject {
  return JSON.parse(JSON.stringify(params).replaceAll('"demo__echo"', '"echo"').replaceAll('"demo__hello"', '"hello"'));
}

let gateway: TestGateway;
let doors: Door[];

before(async () => {
  gateway = await startTestGateway(
    { servers: { demo: { command: 'unused' } }, agents: { alice: { keys: [keyHash], allow: ['*'] } } },
    [
      {
        server: 'demo',
        tools: [tool('echo')],
        prompts: [{ name: 'hello' }],
        resources: [{ uri: 'demo://thing', name: 'thing' }],
      },
    ],
  );
  doors = await openDoors(gateway.mcp, key);
});

after(async () => {
  for (const door of doors ?? []) await door[Symbol.asyncDispose]();
  await gateway?.[Symbol.asyncDispose]();
});

test('codecs - a request of any method is the same call, whatever revision brought it', async () => {
  verifies('bridge:codecs');
  gateway.result = {};
  await fc.assert(
    fc.asyncProperty(requests, async ({ method, params }) => {
      for (const door of doors) {
        gateway.calls.length = 0;
        await door.request(method, params);
        assert.deepEqual(gateway.calls[0]?.params, inServersNames(params), door.name);
      }
    }),
    { numRuns: 15 },
  );
});

test('codecs - a result is the same for every revision, but for what each revision adds', async () => {
  await fc.assert(
    fc.asyncProperty(requests, members, async ({ method, params }, result) => {
      gateway.result = result;
      for (const door of doors) {
        const { result: got = {} } = await door.request(method, params);
        const { resultType, ttlMs: _ttl, cacheScope: _scope, ...rest } = got;
        assert.equal(resultType, door.revision === '2026-07-28' ? 'complete' : undefined, door.name);
        assert.deepEqual(rest, result, door.name);
      }
    }),
    { numRuns: 15 },
  );
});

const capabilities = fc.record({ elicitation: fc.constant({ form: {} }), future: json }, { requiredKeys: [] });

test('codecs - what a worker sends to a server of either era says what the call says', () => {
  fc.assert(
    fc.property(requests, capabilities, fc.boolean(), ({ method, params }, declared, wantsProgress) => {
      const call: Call = {
        id: 'c',
        server: 'demo',
        method,
        params,
        agent: { protocolVersion: '2026-07-28', capabilities: JSON.parse(JSON.stringify(declared)), logLevel: 'error' },
        principal: { id: 'alice', method: 'key' },
        wantsProgress,
        timeoutMs: 1,
        headers: {},
      };
      const opened = openEnvelope(modernParams(call, 7, '2026-07-28', { name: 'toolbus' }));
      assert.ok(!('error' in opened));
      assert.deepEqual(opened.params, params);
      assert.deepEqual(opened.agent.capabilities, call.agent.capabilities);
      assert.deepEqual([opened.agent.logLevel, opened.progressToken], ['error', wantsProgress ? 7 : undefined]);
      assert.deepEqual(legacyParams({ ...params, inputResponses: {}, requestState: 's', task: {} }), params);
    }),
  );
});

interface Asked {
  readonly method: string;
  readonly params: JsonObject;
  readonly answer: JsonObject;
}

const questions = fc.tuple(
  fc.constantFrom<Asked>(
    {
      method: 'elicitation/create',
      params: { message: 'Who?', requestedSchema: { type: 'object' } },
      answer: { action: 'accept' },
    },
    {
      method: 'elicitation/create',
      params: { mode: 'url', url: 'https://x', elicitationId: 'e' },
      answer: { action: 'decline' },
    },
    {
      method: 'sampling/createMessage',
      params: { messages: [], maxTokens: 1 },
      answer: { content: {}, role: 'assistant' },
    },
    { method: 'roots/list', params: {}, answer: { roots: [] } },
  ),
  members,
  members,
  fc.boolean(),
);
const askable = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} };

test('codecs - a question of a legacy server reaches a legacy agent, and its answer the server, as they were', async () => {
  await fc.assert(
    fc.asyncProperty(questions, async ([{ method, params, answer }, more, said, refuses]) => {
      const asked = { ...more, ...params };
      const question = { id: 1, method, params: { ...asked, _meta: { progressToken: 3 } } };
      const agent = { protocolVersion: '2025-11-25', capabilities: askable };
      const inputRequests = { q1: inputRequest(question, agent) };
      const result = { ...said, ...answer };
      const error = { code: -32050, message: 'no' };
      let arrived: JsonObject = {};
      let responses: JsonValue | undefined;
      await fulfilInput(
        {
          kind: 'result',
          resultType: 'input_required',
          body: JSON.stringify({ resultType: 'input_required', inputRequests, requestState: 's' }),
          held: { abandon: () => assert.fail('nobody left') },
        },
        {
          capabilities: askable,
          signal: new AbortController().signal,
          async ask(askedMethod, askedParams) {
            arrived = { method: askedMethod, params: askedParams };
            return refuses ? { error } : { result };
          },
          async retry(given) {
            responses = given['inputResponses'];
            return { kind: 'result', resultType: 'complete', body: '{}' };
          },
        },
      );
      assert.deepEqual(arrived, { method, params: asked });
      const response = isJsonObject(responses) ? responses['q1'] : undefined;
      assert.deepEqual(readAnswer(question, response), refuses ? { error } : { result });
    }),
  );
});

const valueSchemas: fc.Arbitrary<JsonValue> = fc.constantFrom<JsonValue>(
  { type: 'array', items: { type: 'number' } },
  { type: ['string', 'null'], maxLength: 3 },
  { anyOf: [{ type: 'integer' }, { type: 'object', required: ['a'] }] },
  { $defs: { leaf: { type: 'boolean' } }, anyOf: [{ $ref: '#/$defs/leaf' }, { type: 'array', items: { $ref: '#' } }] },
  true,
);

test('codecs - a value fits a wrapped schema exactly when it fits the schema', () => {
  fc.assert(
    fc.property(valueSchemas, fc.jsonValue({ maxDepth: 2 }), (schema, value) => {
      assert.ok(wrapsOutput({ outputSchema: schema }));
      const plain = new Ajv2020({ strict: false }).compile(schema as object);
      const wrapped = new Ajv2020({ strict: false }).compile(wrapOutputSchema(schema));
      assert.equal(wrapped({ result: value }), plain(value));
    }),
    { numRuns: 60 },
  );
});
