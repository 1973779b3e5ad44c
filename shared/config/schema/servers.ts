import { z } from 'zod';
import { limits, pattern, positive, serverName } from './fields.ts';
import { argumentRules } from './rules.ts';
import { upstreamAuth } from './upstream-auth.ts';

const breaker = z.strictObject({
  errorPercent: z
    .number()
    .min(1)
    .max(100)
    .default(50)
    .describe('Opens when this share of the calls in the window failed'),
  minCalls: positive.default(10).describe('Calls in the window before the share counts'),
  windowMs: positive.default(10_000).describe('Length of the window'),
  resetMs: positive.default(5_000).describe('Time from opening to the first probe'),
});

/** Node throws on a NUL in what a child is started with; here the error can name the key. */
const spawnable = z.string().refine((text) => !text.includes('\0'), 'must not hold a NUL character');

const environment = z.record(z.string().regex(/^[^=\0]+$/, 'is not a name that a variable can have'), spawnable);

const headers = z.record(
  z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'is not a name that a header can have'),
  z.string().regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'must be one line of characters that a header can hold'),
);

const httpUrl = z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' });

const validation = z
  .strictObject({
    arguments: z.boolean().default(true).describe("Check arguments against the tool's schema before a call"),
    unsupportedPatterns: z
      .enum(['ignore', 'quarantine'])
      .default('ignore')
      .describe(
        'A tool whose schema has patterns that RE2 does not know: do not enforce these, or keep it from agents',
      ),
    results: z
      .enum(['off', 'warn', 'refuse'])
      .default('off')
      .describe("Check structured results of at most 1 MiB against the tool's output schema"),
    descriptionCharacters: positive
      .max(65_536)
      .default(4_096)
      .describe('Longest description of a tool, prompt or resource that agents get; the rest is cut off'),
  })
  .prefault({})
  .describe('How far what the server says and gets is checked');

export const serverSchema = z
  .strictObject({
    command: spawnable
      .min(1)
      .optional()
      .describe(
        'Program of a stdio server; found on PATH, never run by a shell. ${toolbus:node} is the Node.js that runs toolbus',
      ),
    args: z
      .array(spawnable)
      .default([])
      .describe(
        'Its arguments. ${package:@scope/name} is the program of an npm package installed beside this file or toolbus',
      ),
    env: environment
      .default({})
      .describe('Its environment, besides a short safe list. ${dir:name} is a directory under the data directory'),
    cwd: spawnable.min(1).optional().describe('Its working directory'),
    url: z
      .union([httpUrl, z.array(httpUrl).min(1)], { error: 'must be an http:// or https:// URL, or a list of them' })
      .optional()
      .describe('Streamable HTTP or HTTP+SSE endpoint; several URLs are several instances of the same server'),
    type: z
      .enum(['stdio', 'http', 'streamable-http', 'sse'])
      .optional()
      .describe('Transport. Without it: stdio for a command; probed for a url'),
    headers: headers.default({}).describe('HTTP headers sent to the url'),
    auth: upstreamAuth.optional(),
    disabled: z.boolean().default(false).describe('Keep the entry, do not run it'),
    instances: positive.max(64).default(1).describe('Workers that `toolbus up` starts'),
    concurrency: positive
      .max(4096)
      .default(16)
      .describe('Calls in flight per worker; 1 for a server that cannot interleave'),
    era: z
      .enum(['auto', 'legacy', 'modern'])
      .default('auto')
      .describe('Protocol era to speak: modern is 2026-07-28, legacy what came before'),
    affinity: z
      .enum(['none', 'session', 'agent'])
      .default('none')
      .describe('Keep the calls of a session or an agent on one instance'),
    timeoutMs: positive.max(600_000).default(60_000).describe('Longest time that a call may take'),
    breaker: breaker.prefault({}).describe('When to stop calling a failing server for a while'),
    limits: limits.prefault({}).describe('Limits over all agents of this server'),
    toolLimits: z
      .record(pattern, limits)
      .default({})
      .describe(
        'Limits over all agents of each tool that a pattern matches; its full name first, then the first pattern that fits',
      ),
    tools: z
      .strictObject({
        allow: z.array(pattern).default(['*']).describe('Patterns of tool names that are offered'),
        deny: z.array(pattern).default([]).describe('Patterns that are not; deny wins'),
      })
      .prefault({})
      .describe("Which of the server's tools exist for agents at all"),
    rules: z
      .record(pattern, argumentRules)
      .default({})
      .describe(
        "What arguments must keep to, by pattern of the server's tool names, then by argument: its name, a JSON pointer with * for any step, or * for all. See docs/validation.md",
      ),
    validation,
    pin: z
      .enum(['off', 'warn', 'block'])
      .default('off')
      .describe(
        'Keep the first definition of each tool. A changed one is reported (warn) or taken from agents (block) until `toolbus tools approve`',
      ),
    shadow: z
      .strictObject({
        to: serverName.describe('Server that gets the copies'),
        percent: z.number().min(0).max(100).default(100).describe('Share of the calls that are copied'),
        tools: z.array(pattern).default(['*']).describe('Patterns of the tools'),
      })
      .optional()
      .describe('Sends copies of live calls of read-only tools to another server and records what differs'),
    trustAnnotations: z
      .boolean()
      .default(false)
      .describe('May a tool that calls itself read-only or idempotent be retried after it may have run?'),
  })
  .superRefine((server, context) => {
    const fail = (path: string[], message: string): void => context.addIssue({ code: 'custom', path, message });
    if (server.command !== undefined && server.url !== undefined)
      fail(['url'], 'a server has a command or a url, not both');
    else if (server.command === undefined && server.url === undefined) fail([], 'a server needs a command or a url');
    else if (server.command !== undefined && server.type !== undefined && server.type !== 'stdio') {
      fail(['type'], 'a server with a command is stdio');
    } else if (server.url !== undefined && server.type === 'stdio')
      fail(['type'], 'a stdio server has a command, not a url');
    if (server.auth !== undefined && server.url === undefined) fail(['auth'], 'a server with a command has no OAuth');
    if (server.auth !== undefined && Object.keys(server.headers).some((name) => name.toLowerCase() === 'authorization'))
      fail(['auth'], 'the header Authorization is configured too');
  })
  .meta({ id: 'server' });
