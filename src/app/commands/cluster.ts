import { UserError } from '../../lib/errors.ts';
import { command } from '../command.ts';
import { flag } from '../option.ts';

export const clusterCommand = command({
  usage: 'cluster up|down|status|secrets|setup',
  summary:
    'Starts, stops or shows the servers of the cluster profile on this machine: Kafka, Redis, PostgreSQL.',
  flags: {
    run: flag({ description: 'up: then runs the pipeline on them.' }),
    json: flag({ description: 'status: JSON.' }),
  },
  async run({ options, flags, args: [action, ...more], clock, log, terminal }) {
    const context = { options: { ...options, profile: 'cluster' as const }, clock, log, terminal };
    // Loaded on demand: the other commands do without the clients of these servers.
    const { up, down, status, secrets, setup } = await import('../cluster/actions.ts');
    const actions: Readonly<Record<string, () => Promise<number>>> = {
      up: () => up(context, flags.run),
      down: () => down(context),
      status: () => status(context, flags.json),
      secrets: () => secrets(context),
      setup: () => setup(context),
    };
    const chosen = more.length === 0 && action !== undefined ? actions[action] : undefined;
    if (chosen) return chosen();
    throw new UserError(
      action === undefined ? 'cluster: what to do?' : `cluster has no ${[action, ...more].join(' ')}`,
      'instashop cluster up, instashop cluster down, or instashop cluster status',
    );
  },
});
