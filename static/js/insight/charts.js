/** Which plots there are, of a camera and of the server: what they show, in which order and how it reads. */
import { formatBitrate, formatBytes, formatCount, formatFps, formatMs, formatPercent } from '../ui/format.js';

/**
 * @typedef {object} Series
 * @property {string} key     Of a sample's row.
 * @property {string} label
 * @property {string} [meaning]
 * @property {number} tone    Which of the plot colours.
 * @property {number[]} [dash]  What tells it apart without colour; a solid line where missing.
 * @property {number} [width]
 * @property {boolean} [soft]   In a paler shade, under the others.
 *
 * @typedef {object} Chart
 * @property {string} title
 * @property {(value: number) => string} format
 * @property {(value: number) => string} [axis]  Shorter, for the scale.
 * @property {Series[]} series
 * @property {string} head      Key of the value in the title line.
 * @property {string} [of]      What that value is, after it.
 * @property {'line' | 'stack' | 'step'} [shape]
 * @property {number} leastTop  The scale never ends below this: noise must not look like a mountain.
 * @property {boolean} [sparse]  Show only what is not always nothing.
 * @property {string} [none]    What to say when that is everything.
 */

const LONG = [9, 4];
const SHORT = [4, 3];
const DOTS = [1.5, 3];
const MIXED = [9, 3, 2, 3];
const PAIRS = [2, 2, 2, 6];

const formatKbps = (kbps) => formatBitrate((kbps * 1000) / 8);
const axisKbps = (kbps) => formatKbps(kbps).replace('bit/s', '');
const formatRate = (perSecond) => `${formatFps(perSecond)} /s`;

/** @type {Chart[]} */
export const CAMERA_CHARTS = [
  {
    title: 'Frame rate',
    format: formatFps,
    head: 'painted',
    of: 'fps painted',
    leastTop: 4,
    series: [
      // They mostly lie on one another, so each leaves the one below it to be seen.
      { key: 'captured', label: 'Captured', meaning: 'Pictures taken from the source', tone: 1, width: 5, soft: true },
      { key: 'encoded', label: 'Encoded', meaning: "As JPEG, or passed on as the source's own", tone: 2, width: 2.5, dash: LONG },
      { key: 'delivered', label: 'Delivered', meaning: 'Received by this page', tone: 3, width: 2.5, dash: SHORT },
      { key: 'painted', label: 'Painted', meaning: 'On this screen', tone: 4, width: 1.5 },
    ],
  },
  {
    title: 'Latency',
    format: formatMs,
    head: 'total',
    of: 'from capture to screen',
    shape: 'stack',
    leastTop: 20,
    series: [
      { key: 'capture', label: 'Capture', meaning: 'From the source until the frame is there to be sent', tone: 1 },
      { key: 'encode', label: 'Encode', meaning: 'Making the JPEG', tone: 2, dash: SHORT },
      { key: 'wait', label: 'Wait', meaning: 'In the server, until it was this frame’s turn', tone: 5, dash: DOTS },
      { key: 'network', label: 'Network', meaning: 'Sent until received', tone: 3, dash: LONG },
      { key: 'decode', label: 'Decode', meaning: 'In this browser, until it was a picture', tone: 6, dash: MIXED },
      { key: 'paint', label: 'Paint', meaning: 'Until it was on the canvas', tone: 4, dash: PAIRS },
    ],
  },
  {
    title: 'Bandwidth',
    format: formatKbps,
    axis: axisKbps,
    head: 'kbps',
    of: 'received here',
    leastTop: 100,
    series: [{ key: 'kbps', label: 'Received', tone: 1 }],
  },
  {
    title: 'Dropped frames',
    format: formatRate,
    axis: formatFps,
    head: 'drops',
    of: 'for all viewers',
    leastTop: 2,
    sparse: true,
    none: 'none in these 2 minutes',
    series: [
      { key: 'drop:replaced', label: 'Replaced', meaning: 'A newer one came before anybody was ready', tone: 1 },
      { key: 'drop:credit', label: 'Credit', meaning: 'A viewer still owed acknowledgements', tone: 2, dash: LONG },
      { key: 'drop:unsent', label: 'Unsent', meaning: 'Earlier bytes had not left for a viewer yet', tone: 3, dash: SHORT },
      { key: 'drop:here', label: 'Here', meaning: 'Made room for a newer one in this browser', tone: 4, dash: DOTS },
      { key: 'drop:gone', label: 'Gone', meaning: 'A viewer had just left', tone: 5, dash: MIXED },
      { key: 'drop:bus', label: 'Bus', meaning: 'The bus between nodes did not take it', tone: 6, dash: PAIRS },
      { key: 'drop:processing', label: 'Processing', meaning: 'A newer one came while a processor was busy', tone: 6, dash: SHORT },
      { key: 'drop:unprocessed', label: 'Unprocessed', meaning: 'A processor failed, and none is shown without it', tone: 5, dash: LONG },
      { key: 'drop:other', label: 'Other', tone: 6 },
      { key: 'drop:broken', label: 'Broken', meaning: 'Arrived undecodable from the source', tone: 2 },
      { key: 'drop:encode', label: 'Encoding', meaning: 'Could not be encoded', tone: 3, dash: LONG },
      { key: 'drop:error', label: 'Fault', meaning: 'Met a fault that the log tells', tone: 4, dash: SHORT },
      { key: 'drop:junk', label: 'Junk', meaning: 'Came over the bus and was no frame', tone: 5, dash: DOTS },
      { key: 'drop:behind', label: 'Behind', meaning: 'Left out to catch up with another node', tone: 6, dash: LONG },
      { key: 'drop:undecodable', label: 'Undecodable', meaning: 'Was no JPEG to this browser', tone: 1, dash: SHORT },
    ],
  },
  {
    title: 'Viewers',
    format: formatCount,
    head: 'viewers',
    of: 'now',
    shape: 'step',
    leastTop: 2,
    series: [{ key: 'viewers', label: 'Viewers', tone: 1 }],
  },
];

/** @type {Chart[]} */
export const SERVER_CHARTS = [
  {
    title: 'CPU',
    format: formatPercent,
    head: 'cpu',
    of: 'of one core',
    leastTop: 20,
    series: [{ key: 'cpu', label: 'CPU', tone: 1 }],
  },
  {
    title: 'Hub lag',
    format: formatMs,
    head: 'lag',
    of: 'at worst',
    leastTop: 4,
    series: [
      { key: 'lag', label: 'Worst', meaning: 'Of one second', tone: 2, width: 2 },
      { key: 'lagP99', label: '99th percentile', meaning: 'Of five seconds', tone: 3, width: 2, dash: SHORT },
    ],
  },
  {
    title: 'Memory',
    format: formatBytes,
    head: 'memory',
    of: 'resident',
    leastTop: 100e6,
    series: [{ key: 'memory', label: 'Resident', tone: 6 }],
  },
  {
    title: 'Connections',
    format: formatCount,
    head: 'connections',
    of: 'dashboards',
    shape: 'step',
    leastTop: 2,
    series: [{ key: 'connections', label: 'Dashboards', tone: 1 }],
  },
  {
    title: 'Descriptors',
    format: formatCount,
    head: 'descriptors',
    of: 'open files, sockets and pipes',
    shape: 'step',
    leastTop: 20,
    series: [{ key: 'descriptors', label: 'Open', tone: 5 }],
  },
  {
    title: 'Bandwidth',
    format: formatKbps,
    axis: axisKbps,
    head: 'kbps',
    of: 'received by this page',
    leastTop: 100,
    series: [{ key: 'kbps', label: 'Received', tone: 3 }],
  },
  {
    title: 'Refused',
    format: formatRate,
    axis: formatFps,
    head: 'refused',
    of: 'events, requests, connections',
    leastTop: 2,
    sparse: true,
    none: 'none in these 5 minutes',
    series: [{ key: 'refused', label: 'Refused', tone: 4 }],
  },
];
