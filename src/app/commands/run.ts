import { UserError } from '../../lib/errors.ts';
import { command } from '../command.ts';
import { nearestOf } from '../option.ts';
import { wantedStages } from '../pipeline.ts';
import { run } from '../run.ts';
import { STAGE_NAMES, type StageName } from '../stage-names.ts';

export const runCommand = command({
  usage: 'run [stage…]',
  summary: `Runs everything, or the stages named (${STAGE_NAMES.join(', ')}).`,
  flags: {},
  async run({ options, args, clock, log, terminal }) {
    const whole = args.length === 0;
    const stages = whole ? wantedStages(options) : STAGE_NAMES.filter((name) => args.includes(name));
    for (const name of args) if (!STAGE_NAMES.includes(name as StageName)) throw unknownStage(name);
    return run({ stages, whole, options, clock, log, terminal });
  },
});

function unknownStage(name: string): UserError {
  const nearest = nearestOf(name, STAGE_NAMES);
  const remedy = nearest ? `Did you mean ${nearest}?` : `The stages are ${STAGE_NAMES.join(', ')}.`;
  return new UserError(`there is no stage ${name}`, remedy);
}
