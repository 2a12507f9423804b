import { storeCrash } from "../store.crash.ts"

storeCrash("embedded")
storeCrash("embedded, defragmenting")
