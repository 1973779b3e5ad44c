import { z } from 'zod';
import { addresses, limits, pattern, serverName } from './fields.ts';

const keyHash = z
  .string()
  .regex(/^sha256:[0-9a-f]{64}$/, 'a key is stored as sha256: and 64 hex digits; `toolbus keys new` makes one');

const keyWithEnd = z.strictObject({
  hash: keyHash.describe('Hash of the key'),
  expires: z
    .union([z.iso.date(), z.iso.datetime({ offset: true })], { error: 'must be a date such as 2027-01-31, or a time' })
    .describe('From then on the key is unknown; a date is the start of that day in UTC'),
});

const qualifiedSubject = z.strictObject({
  issuer: z.string().min(1).describe('One of auth.issuers'),
  subject: z.string().min(1).max(1024).describe('Value of auth.agentClaim in its tokens'),
});

export const agentSchema = z.strictObject({
  keys: z
    .array(z.union([keyHash, keyWithEnd], { error: 'must be sha256: and 64 hex digits, or a map of hash and expires' }))
    .default([])
    .describe('Hashes of its API keys, as `toolbus keys new` prints them; several while one replaces another'),
  subjects: z
    .array(
      z.union([z.string().min(1).max(1024), qualifiedSubject], {
        error: 'must be text, or a map of issuer and subject',
      }),
    )
    .default([])
    .describe(
      'Values of auth.agentClaim that are this agent in mode oauth; with several issuers, each with its issuer',
    ),
  allow: z
    .array(pattern)
    .default([])
    .describe('Toolsets and patterns of tools (server__tool) that it may use; nothing listed, nothing allowed'),
  deny: z.array(pattern).default([]).describe('Patterns that it may not use; deny wins'),
  limits: limits.prefault({}).describe('Limits of this agent over all its connections'),
  serverLimits: z.record(serverName, limits).default({}).describe('Limits of this agent on single servers'),
  ips: addresses.describe('Addresses or ranges that it may come from; empty is anywhere'),
});

/** An entry of `agents.NAME.keys` in its long form: the hex digits, and the time in epoch milliseconds when it ends. */
export function keyOf(entry: string | { readonly hash: string; readonly expires: string }): {
  readonly hex: string;
  readonly endsAt: number;
} {
  const { hash, endsAt } =
    typeof entry === 'string'
      ? { hash: entry, endsAt: Number.POSITIVE_INFINITY }
      : { hash: entry.hash, endsAt: Date.parse(entry.expires) };
  return { hex: hash.slice('sha256:'.length), endsAt };
}
