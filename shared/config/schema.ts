import { z } from 'zod';
import { isCidr, isNatsUrl } from './network.ts';

/**
 * The configuration file: the only place where a field is declared. Its types, its validation and the shipped JSON Schema come from here.
 * Contract: CONTRACT §4. Messages never repeat a value: it may have come from the environment.
 */

const positive = z.int().positive();
const pattern = z.string().min(1);

/** A rate like `100/s` or `600/m`; see `tokensPerSecond`. */
export const rate = z
  .string()
  .regex(/^(?=.*[1-9].*\/)\d{1,9}(\.\d{1,9})?\/(s|m|h)$/, 'must be a number above 0 per s, m or h, such as 100/s');

const addresses = z.array(z.string().refine(isCidr, 'must be an IP address or a range such as 10.0.0.0/8')).default([]);

const limitFields = {
  rate: rate.optional().describe('Calls per second, minute or hour: 100/s, 600/m'),
  burst: positive.optional().describe('Calls that may come at once before the rate counts'),
  concurrency: positive.optional().describe('Calls in flight at the same time'),
};

const limits = z.strictObject(limitFields);

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

export const serverName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$/, 'a name is 1 to 40 of A-Z a-z 0-9 _ -, beginning with a letter or digit')
  .refine((name) => !name.includes('__'), 'a name may not hold "__", which separates server and tool');

/** Node throws on a NUL in what a child is started with; here the error can name the key. */
const spawnable = z.string().refine((text) => !text.includes('\0'), 'must not hold a NUL character');

const environment = z.record(z.string().regex(/^[^=\0]+$/, 'is not a name that a variable can have'), spawnable);

const headers = z.record(
  z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'is not a name that a header can have'),
  z.string().regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'must be one line of characters that a header can hold'),
);

const httpUrl = z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' });

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
    tools: z
      .strictObject({
        allow: z.array(pattern).default(['*']).describe('Patterns of tool names that are offered'),
        deny: z.array(pattern).default([]).describe('Patterns that are not; deny wins'),
      })
      .prefault({})
      .describe("Which of the server's tools exist for agents at all"),
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
  })
  .meta({ id: 'server' });

const agentSchema = z.strictObject({
  keys: z
    .array(
      z
        .string()
        .regex(/^sha256:[0-9a-f]{64}$/, 'a key is stored as sha256: and 64 hex digits; `toolbus keys new` makes one'),
    )
    .default([])
    .describe('Hashes of its API keys, as `toolbus keys new` prints them'),
  allow: z
    .array(pattern)
    .default([])
    .describe('Toolsets and patterns of tools (server__tool) that it may use; nothing listed, nothing allowed'),
  deny: z.array(pattern).default([]).describe('Patterns that it may not use; deny wins'),
  limits: limits.prefault({}).describe('Limits of this agent over all its connections'),
  ips: addresses.describe('Addresses or ranges that it may come from; empty is anywhere'),
});

export const natsUrl = z
  .string()
  .refine(isNatsUrl, 'must be a NATS address such as nats://host:4222, or several with commas');

export const configSchema = z.strictObject({
  $schema: z.string().optional().describe('For editors'),
  servers: z
    .record(serverName, serverSchema)
    .default({})
    .describe(
      "MCP servers by name. A tool is offered as name__tool. `mcpServers`, as in the clients' files, means the same",
    ),
  toolsets: z
    .record(serverName, z.strictObject({ tools: z.array(pattern).describe('Patterns of tools: server__tool') }))
    .default({})
    .describe('Named sets of tools, for `allow` of agents and as /mcp/NAME'),
  agents: z.record(z.string().min(1).max(128), agentSchema).default({}).describe('Who may use what'),
  auth: z
    .strictObject({
      mode: z
        .enum(['keys', 'oauth', 'none'])
        .default('keys')
        .describe('How agents prove who they are; none only on loopback'),
    })
    .prefault({})
    .describe('Authentication of agents'),
  access: z
    .strictObject({
      allowIps: addresses.describe('Addresses or ranges that may connect at all; empty is any'),
      trustedProxies: addresses.describe('Proxies whose X-Forwarded-For is believed'),
      allowedHosts: z.array(z.string()).default([]).describe('Values of Host that are served, besides loopback names'),
      allowedOrigins: z.array(z.string()).default([]).describe('Values of Origin that are served, besides none'),
    })
    .prefault({})
    .describe('Who may connect at all'),
  limits: z
    .strictObject({
      ...limitFields,
      concurrency: positive.default(2000).describe('Calls in flight at the same time'),
      bodyBytes: positive.default(1_048_576).describe('Largest request body'),
    })
    .prefault({})
    .describe('Limits over everything'),
  audit: z
    .strictObject({
      mode: z
        .enum(['required', 'best-effort'])
        .default('required')
        .describe('required: no call runs that cannot be recorded'),
      arguments: z.enum(['plain', 'hmac', 'none']).default('plain').describe('How arguments are recorded'),
      redact: z
        .array(z.string())
        .default(['*password*', '*token*', '*secret*'])
        .describe('Patterns of argument names whose values are never recorded'),
      results: z.enum(['full', 'digest', 'none']).default('digest').describe('How results are recorded'),
    })
    .prefault({})
    .describe('What is recorded of each call'),
  nats: z
    .strictObject({
      url: natsUrl.optional().describe('NATS to join; without it `toolbus up` runs its own'),
      credentials: z.string().optional().describe('Path of a .creds file'),
      tenant: z.string().min(1).max(64).default('default').describe('Keeps several toolbuses on one NATS apart'),
    })
    .prefault({})
    .describe('The bus'),
  cluster: z
    .strictObject({
      secret: z
        .string()
        .default('')
        .describe('Shared by ingresses and workers; empty: the first process mints one and keeps it in NATS'),
    })
    .prefault({})
    .describe('What the processes of one toolbus share'),
});

export type ServerConfig = z.infer<typeof serverSchema>;
export type AgentConfig = z.infer<typeof agentSchema>;
export type Config = z.infer<typeof configSchema>;

/** Tokens per second of a rate that the schema has accepted. */
export function tokensPerSecond(text: string): number {
  const [amount = '0', unit = 's'] = text.split('/');
  return Number(amount) / (unit === 'h' ? 3600 : unit === 'm' ? 60 : 1);
}
