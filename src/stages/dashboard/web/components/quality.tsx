import { formats, texts } from '../settings.ts';
import { model } from '../state.ts';
import { SheetView } from './sheet-view.tsx';

/** Events that did not go the straight way: late ones, and those that were refused. */
export function Quality() {
  const t = texts.value;
  const stages = [...(model.value?.stages.values() ?? [])];
  const figure = (name: string): number => stages.reduce((sum, stage) => sum + (stage.figures[name] ?? 0), 0);
  const rows = [
    ['late', t.late, t.lateHelp, figure('late')],
    ['too-late', t.tooLate, t.tooLateHelp, figure('too_late')],
    ['quarantined', t.quarantined, t.quarantinedHelp, figure('quarantined')],
    ['dead-letters', t.deadLetters, t.deadHelp, stages.reduce((sum, stage) => sum + stage.dead_letters, 0)],
  ] as const;
  return (
    <section class="quality" aria-labelledby="quality-title">
      <div class="section-head">
        <h2 id="quality-title">{t.quality}</h2>
        <p class="note">{t.qualityNote}</p>
      </div>
      <dl>
        {rows.map(([name, label, help, count]) => (
          <div key={name}>
            <dt>
              {label} <span class="note">{help}</span>
            </dt>
            <dd data-figure={name}>{formats.value.count(count)}</dd>
          </div>
        ))}
      </dl>
      <SheetView
        sheet={{
          id: 'quality',
          title: t.quality,
          columns: [
            { name: 'name', label: null, kind: 'text' },
            { name: 'figure', label: t.figure, kind: 'text' },
            { name: 'events', label: t.events, kind: 'count' },
          ],
          rows: () => rows.map(([name, label, , count]) => [name, label, count]),
        }}
      />
    </section>
  );
}
