// The only file that imports ECharts: what is registered here is what is in the bundle. Both charts draw their own
// shapes (custom series); no component that makes HTML of text is registered, the tooltips are elements of ours.
import type { CustomSeriesOption } from 'echarts/charts'
import { CustomChart } from 'echarts/charts'
import type { GridComponentOption } from 'echarts/components'
import { GridComponent } from 'echarts/components'
import type { ComposeOption } from 'echarts/core'
import { init, use } from 'echarts/core'
import { CanvasRenderer } from 'echarts/renderers'

export type { EChartsType } from 'echarts/core'

/** The options that this page's charts may use. */
export type ChartOption = ComposeOption<CustomSeriesOption | GridComponentOption>

/** What a custom series draws for one item. */
export type { CustomSeriesOption } from 'echarts/charts'

use([CustomChart, GridComponent, CanvasRenderer])

export { init as initChart }
