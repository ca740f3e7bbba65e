import type { LiveComparison, LiveReconciliation, LiveReport } from '../../../../contracts/reconciliation.ts';
import {
  isReplaying,
  reconcileNow,
  reconciliation,
  refused,
  replayDeadLetters,
  replayed,
} from '../reconciliation.ts';
import { session } from '../session.ts';
import { formats, texts } from '../settings.ts';
import type { Sheet } from '../sheet.ts';
import { now } from '../state.ts';
import { Info } from './info.tsx';
import { Scroll } from './scroll.tsx';
import { SaveButton } from './sheet-view.tsx';

type State = LiveComparison['verdict'] | 'running' | 'unknown';

const stateOf = ({ state, last }: LiveReconciliation): State => {
  if (last !== null) return last.verdict;
  return state === 'running' ? 'running' : 'unknown';
};

/** Places between which something was compared, in the order of the flow: sales, items and the rest of each. */
function Row({ one }: { one: LiveComparison }) {
  const t = texts.value;
  const f = formats.value;
  const isCompared = one.verdict !== 'not compared';
  return (
    <tr data-compared={`${one.what}-${one.right}`}>
      <th scope="row">{t.compared[one.what] ?? one.what}</th>
      <td>
        {t.places[one.left] ?? one.left} = {t.places[one.right] ?? one.right}
      </td>
      <td class="num">{isCompared ? f.count(one.left_rows) : '–'}</td>
      <td class="num">{isCompared ? f.difference(one.right_rows - one.left_rows, 0) : '–'}</td>
      <td class="num">{isCompared ? f.difference((one.right_minor - one.left_minor) / 100, 2) : '–'}</td>
      <td>
        <span class="verdict" data-verdict={one.verdict} title={one.notes.join('\n') || undefined}>
          {t.verdicts[one.verdict]}
        </span>
      </td>
    </tr>
  );
}

const column = (kind: 'text' | 'count') => (name: string) => ({ name, label: null, kind });

const sheetOf = (report: LiveReport): Sheet => ({
  id: 'reconciliation',
  title: texts.value.reconciliation,
  columns: [
    ...['what', 'left', 'right', 'verdict'].map(column('text')),
    ...['left_rows', 'right_rows', 'left_minor', 'right_minor', 'differing'].map(column('count')),
  ],
  rows: () =>
    report.comparisons.map((one) => [
      ...[one.what, one.left, one.right, one.verdict],
      ...[one.left_rows, one.right_rows, one.left_minor, one.right_minor, one.differing],
    ]),
});

function Report({ report }: { report: LiveReport }) {
  const t = texts.value;
  const f = formats.value;
  const notes = [...new Set([...report.notes, ...report.comparisons.flatMap(({ notes: of }) => of)])];
  return (
    <>
      <Scroll label={t.reconciliationTable}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t.what}</th>
              <th scope="col">{t.between}</th>
              {[t.rows, t.rowsDiffer, t.moneyDiffers].map((label) => (
                <th key={label} scope="col" class="num">
                  {label}
                </th>
              ))}
              <th scope="col">{t.verdict}</th>
            </tr>
          </thead>
          <tbody>
            {report.comparisons.map((one) => (
              <Row key={`${one.what} ${one.left} ${one.right}`} one={one} />
            ))}
          </tbody>
        </table>
      </Scroll>
      <p class="note" data-figure="repeats">
        {report.repeats === 0
          ? t.eachOnce(f.count(report.changes))
          : t.repeats(f.count(report.repeats), f.count(report.changes))}
      </p>
      {notes.length > 0 && (
        <ul class="note">
          {notes.map((note) => (
            <li key={note}>{note}</li>
          ))}
        </ul>
      )}
    </>
  );
}

function DeadLetters({ letters }: { letters: LiveReport['dead_letters'] }) {
  const t = texts.value;
  const f = formats.value;
  const rows = Object.entries(letters).sort(([, a], [, b]) => b - a);
  const done = replayed.value;
  return (
    <div class="dead-letters">
      <h3>{t.deadLetters}</h3>
      {rows.length === 0 ? (
        <p class="note">{t.noDeadLetters}</p>
      ) : (
        <>
          <dl>
            {rows.map(([name, count]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{f.count(count)}</dd>
              </div>
            ))}
          </dl>
          {session.value.role === 'operator' && (
            <button type="button" disabled={isReplaying.value} onClick={() => void replayDeadLetters()}>
              {isReplaying.value ? t.replaying : t.replay}
            </button>
          )}
        </>
      )}
      {done !== null && (
        <p class="note" role="status" data-figure="replayed">
          {typeof done === 'string'
            ? done
            : t.replayed(f.count(done.replayed), f.count(done.before), f.count(done.not_replayable))}
        </p>
      )}
    </div>
  );
}

/** Shop = log = warehouse = windows, with the difference and its time; and what was put aside. */
export function Reconciliation() {
  const t = texts.value;
  const said = reconciliation.value;
  if (said === null) return null;
  const { last, message } = said;
  const state = stateOf(said);
  const isHere = said.state !== 'unavailable' || message !== null;
  const canAsk = isHere && session.value.role === 'operator';
  return (
    <section class="reconciliation" aria-labelledby="reconciliation-title">
      <div class="section-head">
        <h2 id="reconciliation-title">
          {t.reconciliation} <Info of="reconciliation" name={t.reconciliation} />
        </h2>
        <p class="note">
          <span class="verdict" data-verdict={state} data-figure="reconciliation">
            {t.verdicts[state]}
          </span>{' '}
          {last !== null && t.comparedAt(formats.value.age(now.value - last.at))}
        </p>
      </div>
      {message !== null && <p class="fault">{t.notReconciled(message)}</p>}
      {refused.value !== null && <p class="fault">{refused.value}</p>}
      {last !== null && <Report report={last} />}
      {!isHere && <p class="note">{t.notHere}</p>}
      <div class="sheet-view">
        {canAsk && (
          <button type="button" disabled={said.state === 'running'} onClick={() => void reconcileNow()}>
            {said.state === 'running' ? t.reconciling : t.reconcileNow}
          </button>
        )}
        {last !== null && <SaveButton sheet={sheetOf(last)} />}
      </div>
      {last !== null && <DeadLetters letters={last.dead_letters} />}
    </section>
  );
}
