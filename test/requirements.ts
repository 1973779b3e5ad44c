import { access } from './requirements/access.ts';
import { agents } from './requirements/agents.ts';
import { audit } from './requirements/audit.ts';
import { bus } from './requirements/bus.ts';
import { commandLine } from './requirements/command-line.ts';
import { hostileInput } from './requirements/hostile-input.ts';
import { servers } from './requirements/servers.ts';

/**
 * What toolbus promises, by subject; tests cite it. `requirements.test.ts` is red while an id is cited by no test.
 * To promise something new: add a row in the file of its subject, and a test that says `verifies('the:id')`.
 */
export const subjects = { commandLine, agents, servers, access, bus, audit, hostileInput };

export const requirements = {
  ...commandLine,
  ...agents,
  ...servers,
  ...access,
  ...bus,
  ...audit,
  ...hostileInput,
};

export type RequirementId = keyof typeof requirements;

/** Says which promises the test at hand holds. Throws for an id that is not in the list. */
export function verifies(...ids: readonly RequirementId[]): void {
  for (const id of ids) {
    if (!Object.hasOwn(requirements, id)) throw new Error(`no such requirement: ${id}`);
  }
}
