import { type LiveStage, SILENT_AFTER_MS } from '../../../../contracts/live.ts';
import { formats, texts } from '../settings.ts';
import type { Sheet } from '../sheet.ts';
import { model, now } from '../state.ts';
import { Scroll } from './scroll.tsx';
import { SaveButton } from './sheet-view.tsx';

/** The order of the flow; a stage that is not here comes after, by name. */
const FLOW = ['generator', 'capture', 'enrichment', 'loader', 'metrics', 'publisher', 'dashboard'];
const rank = (stage: string): number => (FLOW.indexOf(stage) + FLOW.length + 1) % (FLOW.length + 1);

type Shown = LiveStage['state'] | 'silent';

const shownState = (stage: LiveStage): Shown =>
  stage.state !== 'failed' && stage.state !== 'stopped' && now.value - stage.at > SILENT_AFTER_MS
    ? 'silent'
    : stage.state;

function Row({ stage }: { stage: LiveStage }) {
  const t = texts.value;
  const f = formats.value;
  const state = shownState(stage);
  const lag =
    stage.lag === null
      ? '–'
      : stage.lag_unit === 'bytes'
        ? t.bytes(f.bytes(stage.lag))
        : t.records(f.count(stage.lag));
  return (
    <tr data-stage={stage.stage}>
      <th scope="row">
        {stage.stage}
        {stage.instances !== undefined && (
          <span class="stage-count" title={t.instances(stage.instances)}>
            <span aria-hidden="true">{stage.instances}×</span>
            <span class="sr">{t.instances(stage.instances)}</span>
          </span>
        )}
        {stage.standby !== undefined && <span class="stage-count">{t.standbys(stage.standby)}</span>}
      </th>
      <td>
        <span class="stage-state" data-state={state} title={stage.last_error ?? undefined}>
          {t.stageStates[state]}
        </span>
      </td>
      <td class="num">{lag}</td>
      <td class="num">{stage.newest_at === null ? '–' : t.ago(f.age(now.value - stage.newest_at))}</td>
      <td class="num">{f.count(stage.processed)}</td>
      <td class={stage.dead_letters > 0 ? 'num warn' : 'num'}>{f.count(stage.dead_letters)}</td>
      <td class={stage.errors > 0 ? 'num warn' : 'num'}>{f.count(stage.errors)}</td>
    </tr>
  );
}

/** The panel is a table already: only its file is added. */
const sheetOf = (stages: readonly LiveStage[]): Sheet => ({
  id: 'stages',
  title: texts.value.stages,
  columns: [
    { name: 'stage', label: null, kind: 'text' },
    { name: 'state', label: null, kind: 'text' },
    { name: 'processes', label: null, kind: 'count' },
    { name: 'standby', label: null, kind: 'count' },
    { name: 'reported_at', label: null, kind: 'time' },
    { name: 'waiting', label: null, kind: 'count' },
    { name: 'waiting_unit', label: null, kind: 'text' },
    { name: 'newest_record_at', label: null, kind: 'time' },
    { name: 'processed', label: null, kind: 'count' },
    { name: 'dead_letters', label: null, kind: 'count' },
    { name: 'errors', label: null, kind: 'count' },
    { name: 'last_error', label: null, kind: 'text' },
  ],
  rows: () =>
    stages.map((one) => [
      one.stage,
      shownState(one),
      one.instances ?? 1,
      one.standby ?? 0,
      one.at,
      one.lag,
      one.lag_unit,
      one.newest_at,
      one.processed,
      one.dead_letters,
      one.errors,
      one.last_error,
    ]),
});

/** What each stage says of itself, in the order of the flow. */
export function Stages() {
  const t = texts.value;
  const stages = [...(model.value?.stages.values() ?? [])].sort(
    (a, b) => rank(a.stage) - rank(b.stage) || a.stage.localeCompare(b.stage),
  );
  return (
    <section class="stages" aria-labelledby="stages-title">
      <div class="section-head">
        <h2 id="stages-title">{t.stages}</h2>
        <p class="note">{stages.length === 0 ? t.noStage : t.stagesNote}</p>
      </div>
      {stages.length > 0 && (
        <Scroll label={t.stagesTable}>
          <table>
            <thead>
              <tr>
                <th scope="col">{t.stage}</th>
                <th scope="col">{t.state_}</th>
                {[t.lag, t.fresh, t.processed, t.deadLetters, t.errors].map((label) => (
                  <th key={label} scope="col" class="num">
                    {label}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {stages.map((stage) => (
                <Row key={stage.stage} stage={stage} />
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
      <SaveButton sheet={sheetOf(stages)} />
    </section>
  );
}
