import type { Agent } from './agent.ts';
import type { Work } from './request.ts';

/** Calls that were sent and are not to be answered yet. */
export interface Hold {
  /** Resolves when all are answered, with what was wrong. An answer that came before this was asked is wrong. */
  settle(): Promise<{ readonly answered: number; readonly faults: readonly string[] }>;
}

/** Sends one call with each agent. */
export function startHold(agents: readonly Agent[], work: Work): Hold {
  const faults: string[] = [];
  let settling = false;
  const answers = agents.map((agent) => {
    const call = agent.requests.call(work);
    const { bytes, id } = call.next();
    return new Promise<void>((resolve) => {
      agent.connection.send(bytes, (answer) => {
        const fault = answer instanceof Error ? answer.message : call.fault(answer, id);
        if (fault !== undefined) faults.push(fault);
        else if (!settling) faults.push('a call that was to be held was answered before its time');
        resolve();
      });
    });
  });
  return {
    async settle() {
      settling = true;
      await Promise.all(answers);
      return { answered: answers.length, faults };
    },
  };
}
