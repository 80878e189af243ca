# gnuplot docs/figures/noise-correction-bias.gp, from the repository root
set datafile separator ","
set terminal svg size 760,420 font "DejaVu Sans,13" background "white"
set output "docs/figures/noise-correction-bias.svg"
set xlabel "source reliability (Spearman-Brown, all trials)"
set ylabel "score of a perfect mapping (simulated)"
set xrange [1.02:0.15]
set yrange [0:1.3]
set key bottom left
set grid ytics lc rgb "#dddddd"
file = "docs/figures/noise-correction-bias.csv"
plot 1 lc rgb "#888888" dt 2 title "truth", \
  for [k=1:3] level = word("0.5 5 10", k) + 0 \
    file using ($1 == level ? $4 : NaN):6 skip 1 with linespoints lc k pt 7 ps 0.6 \
    title sprintf("numerator of halves, target noise %g", level), \
  for [k=1:3] level = word("0.5 5 10", k) + 0 \
    file using ($1 == level ? $4 : NaN):7 skip 1 with linespoints lc k dt 3 pt 6 ps 0.6 \
    title sprintf("numerator of all trials, target noise %g", level), \
  file using ($1 == 0.5 ? $4 : NaN):5 skip 1 with lines lc rgb "#000000" \
    title "uncorrected r, target noise 0.5"
