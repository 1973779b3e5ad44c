import { z } from 'zod';

/**
 * The configuration file: the only place where a field is declared. Its types, its validation and the shipped JSON Schema come from here.
 * Contract: CONTRACT §4.
 */

const positive = z.int().positive();
const pattern = z.string().min(1);

/** A rate like `100/s` or `600/m`, as tokens per second. */
const rate = z
  .string()
  .regex(/^\d+(\.\d+)?\/(s|m|h)$/, 'a rate is a number per s, m or h, such as 100/s')
  .describe('Tokens per second, minute or hour: 100/s');

const limits = z.strictObject({
  rate: rate.optional(),
  burst: positive.optional(),
  concurrency: positive.optional(),
});

const breaker = z.strictObject({
  errorPercent: z.number().min(1).max(100).default(50),
  minCalls: positive.default(10),
  windowMs: positive.default(10_000),
  resetMs: positive.default(5_000),
});

export const serverName = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$/,
    'a server name is 1 to 40 of A-Z a-z 0-9 _ -, beginning with a letter or digit',
  )
  .refine((name) => !name.includes('__'), 'a server name may not hold "__", which separates server and tool');

export const serverSchema = z.strictObject({
  /** stdio */
  command: z.string().min(1).optional(),
  args: z.array(z.string()).default([]),
  env: z.record(z.string(), z.string()).default({}),
  cwd: z.string().optional(),
  /** Streamable HTTP or HTTP+SSE; several URLs are several instances of the same server. */
  url: z.union([z.url({ protocol: /^https?$/ }), z.array(z.url({ protocol: /^https?$/ })).min(1)]).optional(),
  type: z.enum(['stdio', 'http', 'streamable-http', 'sse']).optional(),
  headers: z.record(z.string(), z.string()).default({}),
  disabled: z.boolean().default(false),
  instances: positive.max(64).default(1),
  concurrency: positive.max(4096).default(16),
  era: z.enum(['auto', 'legacy', 'modern']).default('auto'),
  affinity: z.enum(['none', 'session', 'agent']).default('none'),
  timeoutMs: positive.max(600_000).default(60_000),
  breaker: breaker.prefault({}),
  limits: limits.prefault({}),
  tools: z.strictObject({ allow: z.array(pattern).default(['*']), deny: z.array(pattern).default([]) }).prefault({}),
  trustAnnotations: z.boolean().default(false),
});

const agentSchema = z.strictObject({
  keys: z
    .array(
      z
        .string()
        .regex(/^sha256:[0-9a-f]{64}$/, 'a key is stored as sha256: and 64 hex digits; `toolbus keys new` makes one'),
    )
    .default([]),
  allow: z.array(pattern).default([]),
  deny: z.array(pattern).default([]),
  limits: limits.prefault({}),
  ips: z.array(z.string()).default([]),
});

export const configSchema = z.strictObject({
  $schema: z.string().optional(),
  servers: z.record(serverName, serverSchema).default({}),
  toolsets: z.record(serverName, z.strictObject({ tools: z.array(pattern) })).default({}),
  agents: z.record(z.string().min(1).max(128), agentSchema).default({}),
  auth: z.strictObject({ mode: z.enum(['keys', 'oauth', 'none']).default('keys') }).prefault({}),
  access: z
    .strictObject({
      allowIps: z.array(z.string()).default([]),
      trustedProxies: z.array(z.string()).default([]),
      allowedHosts: z.array(z.string()).default([]),
      allowedOrigins: z.array(z.string()).default([]),
    })
    .prefault({}),
  limits: z
    .strictObject({
      rate: rate.optional(),
      burst: positive.optional(),
      concurrency: positive.default(2000),
      bodyBytes: positive.default(1_048_576),
    })
    .prefault({}),
  audit: z
    .strictObject({
      mode: z.enum(['required', 'best-effort']).default('required'),
      arguments: z.enum(['plain', 'hmac', 'none']).default('plain'),
      redact: z.array(z.string()).default(['*password*', '*token*', '*secret*']),
      results: z.enum(['full', 'digest', 'none']).default('digest'),
    })
    .prefault({}),
  nats: z
    .strictObject({
      url: z.string().optional(),
      credentials: z.string().optional(),
      tenant: z.string().default('default'),
    })
    .prefault({}),
  cluster: z.strictObject({ secret: z.string().default('') }).prefault({}),
});

export type ServerConfig = z.infer<typeof serverSchema>;
export type AgentConfig = z.infer<typeof agentSchema>;
export type Config = z.infer<typeof configSchema>;
