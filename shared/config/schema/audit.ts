import { z } from 'zod';
import { pattern, positive } from './fields.ts';

const argumentsMode = z.enum(['plain', 'hmac', 'none']);
const resultsMode = z.enum(['full', 'digest', 'none']);

const toolRule = z.strictObject({
  arguments: argumentsMode.optional().describe('Instead of audit.arguments'),
  redact: z.array(pattern).optional().describe('In addition to audit.redact'),
  results: resultsMode.optional().describe('Instead of audit.results'),
});

export const audit = z
  .strictObject({
    mode: z
      .enum(['required', 'best-effort'])
      .default('required')
      .describe(
        'required: no call runs that cannot be recorded; best-effort: calls go on, and what is missing is counted',
      ),
    arguments: argumentsMode
      .default('plain')
      .describe(
        'How arguments are recorded: plain, hmac (a keyed hash of each value, with which a guess can be tested), none',
      ),
    redact: z
      .array(pattern)
      .default(['*password*', '*token*', '*secret*'])
      .describe('Patterns of argument names whose values are never recorded; upper and lower case are the same'),
    results: resultsMode
      .default('digest')
      .describe('How results are recorded: full, digest (SHA-256 and size), none (size alone)'),
    tools: z
      .record(pattern, toolRule)
      .default({})
      .describe('Exceptions by patterns of tools (server__tool); the first that matches counts'),
    inlineBytes: positive
      .max(131_072)
      .default(65_536)
      .describe('Larger arguments and results are recorded by their digest and size'),
    maxBytes: positive
      .min(1_048_576)
      .default(1_073_741_824)
      .describe(
        'Size of the audit stream; when it is full, calls are refused (required) or not recorded (best-effort)',
      ),
    maxAgeDays: z.number().positive().optional().describe('Older records are removed; without it, none ever are'),
    replicas: z
      .int()
      .min(1)
      .max(5)
      .optional()
      .describe('Copies of the audit stream when it is made; default 3 where NATS is a cluster, else 1'),
    durability: z
      .enum(['default', 'always'])
      .default('default')
      .describe(
        'always: the embedded nats-server writes to the disk before it acknowledges, and survives a power loss',
      ),
    spoolBytes: positive
      .min(65_536)
      .default(67_108_864)
      .describe('Size of the file in the data directory that takes records while the stream takes none'),
    checkpoints: z
      .strictObject({
        everyMs: positive
          .min(1_000)
          .default(10_000)
          .describe('How often the chain of records is signed while there are calls'),
        file: z
          .string()
          .min(1)
          .optional()
          .describe('File to which checkpoints are appended too, on another disk than NATS'),
      })
      .prefault({})
      .describe('Signed heads of the chain of records'),
    sinks: z
      .strictObject({
        file: z
          .strictObject({
            path: z.string().min(1).describe('JSON lines are appended to this file'),
            maxBytes: positive.min(65_536).default(104_857_600).describe('Then it becomes FILE.1, and so on'),
            keep: z.int().min(0).max(1_000).default(10).describe('Older files that are kept'),
          })
          .optional()
          .describe('Records as JSON lines'),
        otlp: z
          .strictObject({
            endpoint: z.url({ protocol: /^https?$/ }).describe('Base URL of an OTLP/HTTP collector'),
            headers: z.record(z.string(), z.string()).default({}).describe('Such as its API key'),
          })
          .optional()
          .describe('Records as OpenTelemetry logs'),
      })
      .prefault({})
      .describe('Where records are sent besides the stream, at least once each; none by default'),
    replay: z
      .strictObject({
        ignore: z
          .record(pattern, z.array(z.string().regex(/^\//, 'is a JSON pointer: it begins with /')))
          .default({})
          .describe(
            'What varies in the results of tools (patterns of server__tool): JSON pointers in which * is any member, and ** at the end all below',
          ),
      })
      .prefault({})
      .describe('How `toolbus audit replay` compares'),
  })
  .prefault({})
  .describe('What is recorded of each call');
