// A cell in the checkpoint's shape, and back.
import { type Cell, pack } from './aggregates.ts';
import type { CheckpointChanges, CheckpointState } from './checkpoint.ts';
import type { Scalar } from './fields.ts';

/** The cell as it is now; afterwards it counts as saved. */
export function saveCell(cell: Cell): CheckpointChanges['cells'][number] {
  const { id, definition, window, group, sums, labels, events, revision, added } = cell;
  const { newestEventTime, newestCommittedAt } = cell;
  cell.unsaved = false;
  cell.added = null;
  if (window.closed) pack(cell);
  return {
    id,
    definition: definition.name,
    windowStart: window.start,
    group,
    state: { sums, labels, events, revision, newestEventTime, newestCommittedAt },
    added,
  };
}

type Loaded = CheckpointState['cells'] extends Iterable<infer T> ? T : never;

/** Puts saved values into a new cell. */
export function restoreCell(cell: Cell, { state, members }: Loaded): void {
  state.sums.forEach((sum, slot) => {
    cell.sums[slot] = sum ?? cell.definition.initial[slot]!;
  });
  state.labels.forEach((label, i) => {
    cell.labels[i] = label;
  });
  members.forEach((list, i) => {
    cell.sets[i] = new Set<Scalar>(list);
  });
  if (cell.window.closed) pack(cell);
  cell.events = state.events;
  cell.revision = state.revision;
  cell.newestEventTime = state.newestEventTime;
  cell.newestCommittedAt = state.newestCommittedAt;
}
