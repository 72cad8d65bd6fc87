/** Defines the plots of a camera and of the server: their series, order and formats. */
import { formatBitrate, formatBytes, formatCount, formatFps, formatMs, formatPercent } from '../ui/format.js';

/**
 * @typedef {object} Series
 * @property {string} key     Key in a sample's row.
 * @property {string} label
 * @property {string} [meaning]
 * @property {number} tone    Number of the plot colour.
 * @property {number[]} [dash]  Distinguishes it without colour; a solid line if missing.
 * @property {number} [width]
 * @property {boolean} [soft]   Drawn paler, below the others.
 *
 * @typedef {object} Chart
 * @property {string} title
 * @property {(value: number) => string} format
 * @property {(value: number) => string} [axis]  Shorter, for the scale.
 * @property {Series[]} series
 * @property {string} head      Key of the value shown in the title.
 * @property {string} [of]      Words after that value.
 * @property {'line' | 'stack' | 'step'} [shape]
 * @property {number} leastTop  The scale ends here or higher, so that noise does not look large.
 * @property {boolean} [sparse]  Show only series that are not always zero.
 * @property {string} [none]    Text if all series are zero.
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
      // The lines mostly coincide, so each leaves the one below it visible.
      { key: 'captured', label: 'Captured', meaning: 'Frames read from the source', tone: 1, width: 5, soft: true },
      { key: 'encoded', label: 'Encoded', meaning: "As JPEG, or the source's own JPEG", tone: 2, width: 2.5, dash: LONG },
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
      { key: 'capture', label: 'Capture', meaning: 'From the source until the frame is ready', tone: 1 },
      { key: 'encode', label: 'Encode', meaning: 'Encoding the JPEG', tone: 2, dash: SHORT },
      { key: 'wait', label: 'Wait', meaning: 'In the server, until the frame was sent', tone: 5, dash: DOTS },
      { key: 'network', label: 'Network', meaning: 'From sent to received', tone: 3, dash: LONG },
      { key: 'decode', label: 'Decode', meaning: 'Decoding in this browser', tone: 6, dash: MIXED },
      { key: 'paint', label: 'Paint', meaning: 'Until painted on the canvas', tone: 4, dash: PAIRS },
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
    none: 'none in the last 2 minutes',
    series: [
      { key: 'drop:replaced', label: 'Replaced', meaning: 'A newer frame came before any viewer was ready', tone: 1 },
      { key: 'drop:credit', label: 'Credit', meaning: 'A viewer had not acknowledged earlier frames', tone: 2, dash: LONG },
      { key: 'drop:chain', label: 'Chain', meaning: 'A viewer lacked earlier frames of the video, and got JPEG', tone: 1, dash: LONG },
      { key: 'drop:unsent', label: 'Unsent', meaning: 'Earlier data for a viewer was still being sent', tone: 3, dash: SHORT },
      { key: 'drop:here', label: 'Here', meaning: 'Replaced by a newer frame in this browser', tone: 4, dash: DOTS },
      { key: 'drop:gone', label: 'Gone', meaning: 'A viewer had just left', tone: 5, dash: MIXED },
      { key: 'drop:bus', label: 'Bus', meaning: 'The bus between nodes did not accept it', tone: 6, dash: PAIRS },
      { key: 'drop:processing', label: 'Processing', meaning: 'A newer frame came while a processor was busy', tone: 6, dash: SHORT },
      { key: 'drop:unprocessed', label: 'Unprocessed', meaning: 'A processor failed, and frames are not shown without it', tone: 5, dash: LONG },
      { key: 'drop:other', label: 'Other', tone: 6 },
      { key: 'drop:broken', label: 'Broken', meaning: 'The source sent bytes that cannot be decoded', tone: 2 },
      { key: 'drop:damaged', label: 'Damaged', meaning: 'An earlier frame was lost on the way from the camera', tone: 3 },
      { key: 'drop:unread', label: 'Unread', meaning: 'The server was too busy to read an earlier frame', tone: 4 },
      { key: 'drop:encode', label: 'Encoding', meaning: 'Encoding failed', tone: 3, dash: LONG },
      { key: 'drop:error', label: 'Error', meaning: 'An error; see the log', tone: 4, dash: SHORT },
      { key: 'drop:junk', label: 'Junk', meaning: 'Received over the bus, but not a frame', tone: 5, dash: DOTS },
      { key: 'drop:behind', label: 'Behind', meaning: 'Skipped to catch up with another node', tone: 6, dash: LONG },
      { key: 'drop:undecodable', label: 'Undecodable', meaning: 'This browser could not decode it', tone: 1, dash: SHORT },
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
    title: 'Event-loop delay',
    format: formatMs,
    head: 'lag',
    of: 'worst',
    leastTop: 4,
    series: [
      { key: 'lag', label: 'Worst', meaning: 'In one second', tone: 2, width: 2 },
      { key: 'lagP99', label: '99th percentile', meaning: 'In five seconds', tone: 3, width: 2, dash: SHORT },
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
    title: 'Open files',
    format: formatCount,
    head: 'descriptors',
    of: 'files, sockets and pipes',
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
    title: 'Rejected requests',
    format: formatRate,
    axis: formatFps,
    head: 'refused',
    of: 'events, requests, connections',
    leastTop: 2,
    sparse: true,
    none: 'none in the last 5 minutes',
    series: [{ key: 'refused', label: 'Rejected', tone: 4 }],
  },
];
