import { inTurns } from '../turns/in-turns.ts';
import { recordLatency } from '../turns/record.ts';
import { sideBySide } from '../turns/side-by-side.ts';
import { order, type Suite } from './suite.ts';

const sizes = [251, 2000] as const;
const turns = 3;

/** `tools/list` of 251 and of 2,000 tools (about 230 KB and 1.8 MB), one agent. */
export const lists: Suite = {
  name: 'lists',
  targets: ['direct', 'floor', 'toolbus'],
  async run(context) {
    const { window } = context;
    const servers = sizes.map((tools) => ({ name: `list${tools}`, tools, concurrency: 64 }));
    await sideBySide(
      context,
      servers,
      async (target) => {
        for (const { name, tools } of servers) {
          await order(context, target, name, { kind: 'list', tools, window });
        }
      },
      async (targets) => {
        for (const { name, tools } of servers) {
          context.step(name);
          const lanes = targets.map((target) => ({
            target,
            server: name,
            name,
            job: { kind: 'list', tools, window } as const,
          }));
          for (const [lane, windows] of await inTurns(context, lanes, context.turns(turns))) {
            recordLatency(context, lane, windows);
          }
        }
      },
    );
  },
};
