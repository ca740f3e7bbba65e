import { render } from 'preact';
import 'uplot/dist/uPlot.min.css';
import './styles/base.css';
import './styles/page.css';
import './styles/panels.css';
import './styles/people.css';
import './styles/choices.css';
import './styles/alerts.css';
import './styles/narrow.css';
import { App } from './app.tsx';
import { speak } from './settings.ts';
import { start } from './state.ts';

await speak();
start();
render(<App />, document.getElementById('page')!);
