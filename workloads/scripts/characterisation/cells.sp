* Four cells of no real process, with level-1 transistors: their numbers come from devices.lib, one section a corner.
.model nch nmos level=1 vto={vtn} kp={kpn} lambda=0.1 tox=3n cgso=0.3n cgdo=0.3n cj=1m cjsw=0.2n
.model pch pmos level=1 vto={vtp} kp={kpp} lambda=0.1 tox=3n cgso=0.3n cgdo=0.3n cj=1m cjsw=0.2n

.subckt inv_x1 a y vdd gnd
mp y a vdd vdd pch w=1u l=0.13u ad=0.3p pd=2u as=0.3p ps=2u
mn y a gnd gnd nch w=0.5u l=0.13u ad=0.15p pd=1u as=0.15p ps=1u
.ends

.subckt buf_x1 a y vdd gnd
xfirst a inner vdd gnd inv_x1
xsecond inner y vdd gnd inv_x1
.ends

.subckt nand2_x1 a b y vdd gnd
mpa y a vdd vdd pch w=1u l=0.13u ad=0.3p pd=2u as=0.3p ps=2u
mpb y b vdd vdd pch w=1u l=0.13u ad=0.3p pd=2u as=0.3p ps=2u
mna y a inner gnd nch w=1u l=0.13u ad=0.3p pd=2u as=0.3p ps=2u
mnb inner b gnd gnd nch w=1u l=0.13u ad=0.3p pd=2u as=0.3p ps=2u
.ends

.subckt aoi21_x1 a b c y vdd gnd
mpa top a vdd vdd pch w=2u l=0.13u ad=0.6p pd=4u as=0.6p ps=4u
mpb top b vdd vdd pch w=2u l=0.13u ad=0.6p pd=4u as=0.6p ps=4u
mpc y c top vdd pch w=2u l=0.13u ad=0.6p pd=4u as=0.6p ps=4u
mna y a inner gnd nch w=1u l=0.13u ad=0.3p pd=2u as=0.3p ps=2u
mnb inner b gnd gnd nch w=1u l=0.13u ad=0.3p pd=2u as=0.3p ps=2u
mnc y c gnd gnd nch w=0.5u l=0.13u ad=0.15p pd=1u as=0.15p ps=1u
.ends
