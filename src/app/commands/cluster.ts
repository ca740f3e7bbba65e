import { UserError } from '../../lib/errors.ts';
import { command } from '../command.ts';
import { flag } from '../option.ts';

export const clusterCommand = command({
  usage: 'cluster up|down|status',
  summary:
    'Starts, stops or shows the servers of the cluster profile on this machine: Kafka, Redis, PostgreSQL.',
  flags: {
    run: flag({ description: 'up: then runs the pipeline on them.' }),
    json: flag({ description: 'status: JSON.' }),
  },
  async run({ options, flags, args: [action, ...more], clock, log, terminal }) {
    const context = { options: { ...options, profile: 'cluster' as const }, clock, log, terminal };
    // Loaded on demand: the other commands do without the clients of these servers.
    const { up, down, status } = await import('../cluster/actions.ts');
    if (more.length === 0 && action === 'up') return up(context, flags.run);
    if (more.length === 0 && action === 'down') return down(context);
    if (more.length === 0 && action === 'status') return status(context, flags.json);
    throw new UserError(
      action === undefined ? 'cluster: what to do?' : `cluster has no ${[action, ...more].join(' ')}`,
      'instashop cluster up, instashop cluster down, or instashop cluster status',
    );
  },
});
