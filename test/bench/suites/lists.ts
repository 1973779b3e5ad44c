import { measure, prime, type Suite } from './suite.ts';

const sizes = [251, 2000] as const;

/** `tools/list` of 251 and of 2,000 tools (about 230 KB and 1.8 MB), one agent. */
export const lists: Suite = {
  name: 'lists',
  targets: ['direct', 'floor', 'toolbus'],
  async run(context) {
    const servers = sizes.map((tools) => ({ name: `list${tools}`, tools, concurrency: 64 }));
    const target = await context.start(servers);
    for (const { name, tools } of servers) {
      await prime(context, target, name);
      const { latency } = await measure(context, target, name, { kind: 'list', tools, window: context.window(3) });
      context.record(`${name}.p50`, latency.p50);
      context.record(`${name}.p99`, latency.p99);
    }
    await target.stop();
  },
};
