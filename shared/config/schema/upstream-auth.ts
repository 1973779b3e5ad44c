import { z } from 'zod';
import { isSecureUrl } from '../network.ts';

const secureUrl = z
  .string()
  .refine(isSecureUrl, 'must be an https:// URL without query and fragment; http:// is for loopback only');

const endpointUrl = z
  .string()
  .refine(
    (text) => isSecureUrl(text.split('?', 1)[0] ?? '') && !text.includes('#'),
    'must be an https:// URL; http:// is for loopback only',
  );

/** Signatures of `private_key_jwt`. */
const assertionAlgorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'ES256', 'ES384', 'ES512', 'EdDSA'] as const;

const client = {
  clientId: z.string().min(1).describe('Client that the authorization server knows toolbus as'),
  clientSecret: z.string().min(1).optional().describe('Its secret'),
};

const target = {
  scope: z.string().min(1).optional().describe('Scopes to ask for, with spaces'),
  resource: z
    .url()
    .optional()
    .describe('Resource to ask a token for; default: what the server says of itself, or its URL'),
  issuer: secureUrl
    .optional()
    .describe('Authorization server that gets the credentials; without it, the one that the server names first'),
  tokenUrl: endpointUrl.optional().describe('Its token endpoint, where it has no metadata'),
};

const clientCredentials = z.strictObject({
  type: z.literal('client-credentials').describe('How toolbus gets its tokens'),
  ...client,
  privateKey: z
    .string()
    .min(1)
    .optional()
    .describe('Instead of a secret: private key as PKCS #8 PEM, for private_key_jwt'),
  algorithm: z.enum(assertionAlgorithms).default('RS256').describe('Signature that the private key makes'),
  ...target,
});

const enterpriseManaged = z.strictObject({
  type: z.literal('enterprise-managed').describe('How toolbus gets its tokens'),
  ...client,
  ...target,
  idp: z
    .strictObject({
      issuer: secureUrl.optional().describe('Identity provider that exchanges the identity for an ID-JAG'),
      tokenUrl: endpointUrl.optional().describe('Its token endpoint, where it has no metadata'),
      ...client,
      idToken: z.string().min(1).optional().describe('ID token whose audience is clientId'),
      idTokenFile: z.string().min(1).optional().describe('File that holds it, read before each exchange'),
    })
    .describe('Where the identity of toolbus comes from'),
});

/** How a worker gets tokens of its own for its server (MCP authorization extensions of the same names). */
export const upstreamAuth = z
  .discriminatedUnion('type', [clientCredentials, enterpriseManaged], {
    error: 'type must be client-credentials or enterprise-managed',
  })
  .superRefine((auth, context) => {
    const fail = (path: string[], message: string): void => context.addIssue({ code: 'custom', path, message });
    if (auth.type === 'client-credentials') {
      if ((auth.clientSecret === undefined) === (auth.privateKey === undefined))
        fail([], 'needs a clientSecret or a privateKey, not both');
      return;
    }
    const { idp } = auth;
    if ((idp.issuer === undefined) === (idp.tokenUrl === undefined)) fail(['idp'], 'needs an issuer or a tokenUrl');
    if ((idp.idToken === undefined) === (idp.idTokenFile === undefined))
      fail(['idp'], 'needs an idToken or an idTokenFile');
    if (auth.issuer === undefined && auth.tokenUrl !== undefined)
      fail(['issuer'], 'enterprise-managed needs the issuer, which is the audience of the ID-JAG');
  })
  .describe('OAuth towards this server: toolbus gets tokens of its own, never those of agents');

export type UpstreamAuth = z.infer<typeof upstreamAuth>;
