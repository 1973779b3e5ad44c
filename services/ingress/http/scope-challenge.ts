import { rpcCode } from '../../../shared/mcp/json-rpc.ts';
import type { Door } from '../access/admit.ts';
import { createStepUp, type StepUpOptions } from '../access/step-up.ts';
import { rpcErrorBody, sendJson } from './answers.ts';
import type { Exchange } from './edge.ts';
import { echoableId } from './json-rpc-shape.ts';

/** Answers 403 and returns true where more scope would help (specification 2026-07-28, basic/authorization, "Scope Challenge Handling"). */
export type ScopeChallenge = (exchange: Exchange, body: unknown) => boolean;

export function createScopeChallenge(deps: StepUpOptions, door: () => Door): ScopeChallenge {
  const stepUp = createStepUp(deps);
  return ({ req, res, endpoint, principal }, body) => {
    const scope = stepUp(principal, endpoint, body);
    const { resources } = door();
    if (scope === undefined || resources === undefined) return false;
    const path = (req.url ?? '').split('?', 1)[0] ?? '';
    const challenge = resources.challenge(path, { error: 'insufficient_scope', scope });
    const message = `the token lacks a scope: ${scope}`;
    const answer = rpcErrorBody(echoableId(body), { code: rpcCode.invalidRequest, message });
    sendJson(res, 403, answer, { 'www-authenticate': challenge });
    return true;
  };
}
