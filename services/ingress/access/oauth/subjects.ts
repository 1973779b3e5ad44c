import { issuerOf } from '../../../../shared/config/schema/auth.ts';
import type { Config } from '../../../../shared/config/schema.ts';
import { exitCode, OperatorError } from '../../../../shared/errors.ts';
import type { Principal } from '../../../../shared/mcp/call.ts';
import type { VerifiedToken } from './verify.ts';

/** The principal of a token, and what it may do with it; undefined when the configuration names no agent for it. */
export type PrincipalOf = (token: VerifiedToken) => Principal | undefined;

const maxSubjectLength = 1024;

/**
 * Reads `agents.*.subjects`. A subject belongs to one issuer: where there are several, each must be named with its own, since an issuer may
 * give out any subject it likes. Throws an OperatorError for a subject without issuer or with an unknown one, and for one of two agents.
 */
export function createPrincipalOf(config: Config): PrincipalOf {
  const { auth } = config;
  const issuers = auth.issuers.map((entry) => issuerOf(entry).issuer);
  const agents = new Map<string, string>();
  for (const [id, agent] of Object.entries(config.agents)) {
    for (const entry of agent.subjects) {
      const issuer = typeof entry === 'string' ? onlyIssuer(issuers, id) : entry.issuer;
      if (!issuers.includes(issuer)) {
        throw new OperatorError(exitCode.usage, `agents.${id}.subjects: an issuer that is not in auth.issuers`);
      }
      const key = keyOf(issuer, typeof entry === 'string' ? entry : entry.subject);
      const other = agents.get(key);
      if (other !== undefined && other !== id) {
        throw new OperatorError(exitCode.usage, `agents.${id}.subjects: the agent "${other}" has the same subject`);
      }
      agents.set(key, id);
    }
  }
  const configured = Object.keys(auth.scopes);

  return ({ issuer, subject, scopes, claims }) => {
    const value = claims[auth.agentClaim];
    const names = (Array.isArray(value) ? value : [value]).filter((name) => typeof name === 'string');
    const id = names.flatMap((name) => agents.get(keyOf(issuer, name)) ?? [])[0];
    const own = subject ?? names[0];
    if (id === undefined || own === undefined || own.length > maxSubjectLength) return undefined;
    return {
      id,
      method: 'oauth',
      subject: `${issuer}#${own}`,
      ...(configured.length > 0 && { scopes: configured.filter((scope) => scopes.includes(scope)).sort() }),
    };
  };
}

function onlyIssuer(issuers: readonly string[], agent: string): string {
  const [only] = issuers;
  if (only === undefined || issuers.length > 1) {
    throw new OperatorError(
      exitCode.usage,
      `agents.${agent}.subjects: with ${issuers.length} issuers, a subject needs its issuer`,
      { hint: 'write { issuer: "https://…", subject: "…" }' },
    );
  }
  return only;
}

function keyOf(issuer: string, subject: string): string {
  return `${issuer}\0${subject}`;
}
