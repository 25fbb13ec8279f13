// The web page: one element that does everything else.
import './components/homespin-panel.ts'
