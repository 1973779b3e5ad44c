import { z } from 'zod';
import { isSecureUrl } from '../network.ts';
import { pattern } from './fields.ts';

/** Only signatures that a party which can check them cannot also make (no HMAC, no `none`). */
export const tokenAlgorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;

const secureUrl = z
  .string()
  .refine(isSecureUrl, 'must be an https:// URL without query and fragment; http:// is for loopback only');

const issuerObject = z.strictObject({
  issuer: secureUrl.describe('Value of iss, exactly as the tokens carry it'),
  jwksUri: secureUrl.optional().describe('Where its keys are; without it, found through its metadata'),
  audiences: z
    .array(z.string().min(1))
    .default([])
    .describe('Values of aud that are accepted from it besides the URL of the endpoint'),
});

const publicUrl = z
  .string()
  .refine(
    (text) => /^https?:\/\/[^/?#@\s]+(\/[^?#\s]*)?$/i.test(text) && URL.canParse(text),
    'must be an http:// or https:// URL without query and fragment',
  );

/** A scope as RFC 6749 §3.3 spells it. */
const scopeName = z
  .string()
  .max(128)
  .regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'is not a name that a scope can have');

export const auth = z
  .strictObject({
    mode: z
      .enum(['keys', 'oauth', 'none'])
      .default('keys')
      .describe('How agents prove who they are; oauth takes API keys too; none only on loopback'),
    resource: publicUrl
      .optional()
      .describe('URL under which agents reach the listener, before /mcp; needed for oauth unless it is on loopback'),
    issuers: z
      .array(z.union([secureUrl, issuerObject], { error: 'must be the URL of an issuer, or a map with issuer' }))
      .default([])
      .describe('Authorization servers whose tokens are accepted in mode oauth'),
    algorithms: z
      .array(z.enum(tokenAlgorithms))
      .min(1)
      .default(['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA', 'Ed25519'])
      .describe('Signatures of tokens that are accepted'),
    agentClaim: z
      .string()
      .min(1)
      .max(256)
      .default('sub')
      .describe('Claim that names the agent, compared with agents.NAME.subjects: sub, client_id, azp or your own'),
    scopes: z
      .record(scopeName, z.strictObject({ allow: z.array(pattern).describe('Toolsets and patterns of tools') }))
      .default({})
      .describe('What each scope of a token permits, within the rights of the agent; empty: scopes mean nothing'),
    initialScopes: z
      .array(scopeName)
      .optional()
      .describe('Scopes that an agent is told to ask for first; default: all of auth.scopes'),
    stepUp: z
      .boolean()
      .default(true)
      .describe('List tools that need more scope and answer their calls 403 with that scope; false: they are unknown'),
  })
  .superRefine((auth, context) => {
    const fail = (path: (string | number)[], message: string) => context.addIssue({ code: 'custom', path, message });
    if (auth.mode === 'oauth' && auth.issuers.length === 0) fail(['issuers'], 'mode oauth needs at least one issuer');
    const seen = new Set<string>();
    auth.issuers.forEach((entry, index) => {
      const { issuer } = issuerOf(entry);
      if (seen.has(issuer)) fail(['issuers', index], 'is the same issuer as one before');
      seen.add(issuer);
    });
    auth.initialScopes?.forEach((scope, index) => {
      if (!Object.hasOwn(auth.scopes, scope)) fail(['initialScopes', index], 'is not one of auth.scopes');
    });
  })
  .prefault({})
  .describe('Authentication of agents');

export interface TrustedIssuer {
  readonly issuer: string;
  readonly jwksUri?: string | undefined;
  readonly audiences: readonly string[];
}

/** An entry of `auth.issuers` in its long form. */
export function issuerOf(entry: string | TrustedIssuer): TrustedIssuer {
  return typeof entry === 'string' ? { issuer: entry, audiences: [] } : entry;
}
