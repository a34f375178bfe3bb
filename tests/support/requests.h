/* Requests as tests of connections write them. */
#pragma once

#define COUNT(table) (sizeof table / sizeof table[0])
#define A "Host: a\r\n" /* the field that every request has */
#define GET(target) "GET /" target " HTTP/1.1\r\n" A "\r\n"
#define HEAD(target) "HEAD /" target " HTTP/1.1\r\n" A "\r\n"
#define PUT(target, fields, body) "PUT /" target " HTTP/1.1\r\n" A fields "\r\n" body
#define LENGTH(n) "Content-Length: " #n "\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"
#define EXPECT "Expect: 100-continue\r\n"
