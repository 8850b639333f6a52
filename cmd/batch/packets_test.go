package main

import "pcapbatch/internal/capturetest"

// Captures and files, by the short names that the tests here use.

type record = capturetest.Record

const (
	second = capturetest.Second
	begin  = capturetest.Begin

	fin = capturetest.FIN
	syn = capturetest.SYN
	rst = capturetest.RST
	ack = capturetest.ACK

	protoUDP = capturetest.ProtoUDP

	client = capturetest.Client
	server = capturetest.Server
)

var (
	pcap      = capturetest.Pcap
	microPcap = capturetest.MicroPcap
	appended  = capturetest.AppendRecord
	ip        = capturetest.IP
	udp       = capturetest.UDP
	sent      = capturetest.Sent
	answered  = capturetest.Answered

	read          = capturetest.Load
	mustWrite     = capturetest.Write[string]
	series        = capturetest.Series
	smallCaptures = capturetest.SmallCaptures
	parseRows     = capturetest.Rows[row]
)
