import { z } from 'zod';
import { addresses, limits, pattern } from './fields.ts';

export const agentSchema = z.strictObject({
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
